using System.Text;
using System.Text.Unicode;
using FsCheck;
using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

namespace ProxyGateway.Tests.Handshakes;

public sealed class ConnectRequestReaderTests
{
    private static readonly byte[] Request = Encoding.UTF8.GetBytes(
        """
        {"type":"req","id":"1","method":"connect","params":{"minProtocol":4,"maxProtocol":4,"client":{"id":"cli","version":"1","platform":"linux","mode":"cli"},
        "role":"operator","scopes":["operator.read"],"caps":[],"auth":{"token":"secret"},
        "device":{"id":"00","publicKey":"AAAA","signature":"AAAA","signedAt":1,"nonce":"n"}}}
        """);

    private static readonly string[] Tokens =
        ["null", "true", "1", "-0", "1e400", "\"\"", "\"\\ud800\"", "{}", "[]", "[[", ",", "\"x\":1,", "\\u0000", "\u0000", "|", "9223372036854775808", "\uFEFF"];

    [Property(MaxTest = 3000)]
    public void Any_bytes_are_read_or_refused_without_an_exception(NonNegativeInt[] edits)
    {
        List<byte> bytes = [.. Request];
        foreach (NonNegativeInt edit in edits)
        {
            int at = (edit.Get * 7919) % bytes.Count;
            byte[] token = Encoding.UTF8.GetBytes(Tokens[edit.Get % Tokens.Length]);
            switch (edit.Get % 3)
            {
                case 0:
                    bytes.InsertRange(at, token);
                    break;
                case 1:
                    bytes.RemoveAt(at);
                    break;
                default:
                    // In place of a value, so that the shape stays JSON's more often.
                    int colon = bytes.IndexOf((byte)':', at);
                    int comma = colon < 0 ? -1 : bytes.IndexOf((byte)',', colon);
                    if (comma > 0)
                    {
                        bytes.RemoveRange(colon + 1, comma - colon - 1);
                        bytes.InsertRange(colon + 1, token);
                    }

                    break;
            }
        }

        byte[] message = [.. bytes];
        if (!Utf8.IsValid(message))
            return;
        bool isRead = ConnectRequestReader.TryRead(message, out ConnectRequest request, out Refusal refusal);

        (refusal is null).ShouldBe(isRead);
        if (isRead)
            ConnectProof.Verify(request, "n", DateTimeOffset.UtcNow, TimeSpan.FromMinutes(2), new PayloadVersions(), out _).ShouldNotBe(ProofFailure.None);
        _ = Challenge.ReadNonce(message);
    }
}
