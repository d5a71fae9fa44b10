using System.Text;

namespace ProxyGateway.IntegrationTests.Fuzzing;

/// <summary>Changes bytes as somebody would who looks for a way through.</summary>
internal static class Mutation
{
    // What frames, JSON and HTTP break on.
    private static readonly byte[][] Interesting =
    [
        [0x81, 0x80], [0x01, 0x80], [0x80, 0x80], [0x88, 0x80], [0x89, 0x80], [0x82, 0x85], [0xC1, 0x80], [0x83, 0x80], [0x8F, 0x80],
        [0x81, 0xFE, 0xFF, 0xFF], [0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0], [0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0], [0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        [0x00, 0x80, 0x11, 0x22, 0x33, 0x44], [0x89, 0xFE, 0, 126], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xC0, 0xAF], [0xEF, 0xBB, 0xBF], [0],
        .. new[]
        {
            "\"", "\\", "\\u0000", "\\ud800", "\"role\":\"operator\",", "\"scopes\":[\"operator.admin\"],", ",", "|", "{", "}", "[", "]", "null", "1e3", "-0", "true",
            "\r\n", "\r\n\r\n", " ", ":", "\t", "HTTP/1.1", "Upgrade: h2c\r\n", "Connection: close\r\n", "Host: localhost\r\n", "Origin: null\r\n", "Content-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\n", "X-Forwarded-For: 127.0.0.1\r\n", "%2e%2e/", "//",
        }.Select(Encoding.UTF8.GetBytes),
    ];

    /// <summary>The bytes with a few changes.</summary>
    public static byte[] Of(byte[] original, Random random, int changes)
    {
        var bytes = new List<byte>(original);
        for (int i = 0; i < changes; i++)
            Change(bytes, random);
        return [.. bytes];
    }

    private static void Change(List<byte> bytes, Random random)
    {
        int at = random.Next(bytes.Count + 1);
        int length = Math.Min(bytes.Count - at, 1 + random.Next(random.Next(4) == 0 ? 64 : 4));
        switch (random.Next(7))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2:
                bytes.RemoveRange(at, length);
                break;
            case 3:
                bytes.InsertRange(random.Next(bytes.Count + 1), bytes.GetRange(at, length));
                break;
            case 4:
                bytes.InsertRange(at, Interesting[random.Next(Interesting.Length)]);
                break;
            case 5:
                byte[] over = Interesting[random.Next(Interesting.Length)];
                for (int i = 0; i < over.Length && at + i < bytes.Count; i++)
                    bytes[at + i] = over[i];
                break;
            default:
                bytes.RemoveRange(at, random.Next(8) == 0 ? bytes.Count - at : length); // sometimes all of the rest
                break;
        }
    }
}
