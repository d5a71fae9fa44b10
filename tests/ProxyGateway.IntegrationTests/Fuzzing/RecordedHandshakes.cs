using System.Text;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Fuzzing;

/// <summary>What clients say after an upgrade, good and bad, with keys and times that are always the same: the fuzzer's raw material.</summary>
internal sealed class RecordedHandshakes
{
    public const string Nonce = "a-nonce";

    /// <summary>When everything was signed.</summary>
    public static readonly DateTimeOffset Time = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public RecordedHandshakes()
    {
        var ask = new Ask { SignedAt = Time, Nonce = Nonce };
        string paired = ask.SignedBy(Paired);
        Messages =
        [
            paired,
            (ask with { Version = "v2", Protocol = 3 }).SignedBy(Paired),
            (ask with { Scopes = [], Role = null, DisplayName = "Anna's phone", DeviceFamily = "Phone" }).SignedBy(Paired),
            (ask with { Scopes = ["operator.admin"] }).SignedBy(Paired),
            (ask with { Role = "node", Scopes = [] }).SignedBy(Paired),
            ask.SignedBy(Stranger),
            (ask with { Nonce = "another" }).SignedBy(Paired),
            (ask with { SignedAt = Time.AddHours(-2) }).SignedBy(Paired),
            (ask with { Tamper = f => f.Params()["scopes"]!.AsArray().Add("operator.admin") }).SignedBy(Paired),
            (ask with { Tamper = f => f.Device()["publicKey"] = Stranger.PublicKey }).SignedBy(Paired),
        ];
    }

    /// <summary>A device that may be an operator with <c>operator.read</c>.</summary>
    public TestDevice Paired { get; } = new(Enumerable.Repeat((byte)1, 32).ToArray());

    /// <summary>A device that may be nothing.</summary>
    public TestDevice Stranger { get; } = new(Enumerable.Repeat((byte)2, 32).ToArray());

    /// <summary>The first messages.</summary>
    public IReadOnlyList<string> Messages { get; }

    /// <summary>One of them as frames, in one of the ways in which a client may send it, and with what may come around it.</summary>
    public static byte[] Frame(byte[] message, Random random)
    {
        using var bytes = new MemoryStream();
        if (random.Next(4) == 0)
            bytes.Write(FrameConnection.Encode(Opcode.Ping, "ping"u8, masked: true));
        int pieces = random.Next(3) == 0 ? 1 + random.Next(5) : 1;
        for (int i = 0; i < pieces; i++)
        {
            byte[] piece = message[(message.Length * i / pieces)..(message.Length * (i + 1) / pieces)];
            bytes.Write(FrameConnection.Encode(i == 0 ? Opcode.Text : Opcode.Continuation, piece, masked: true, isFinal: i == pieces - 1));
            if (i < pieces - 1 && random.Next(3) == 0)
                bytes.Write(FrameConnection.Encode(Opcode.Pong, [], masked: true));
        }

        for (int i = random.Next(4); i > 0; i--)
            bytes.Write(random.Next(3) == 0 ? FrameConnection.Encode(Opcode.Text, message, masked: true) : FrameConnection.Encode(Opcode.Binary, new byte[random.Next(300)], masked: true));
        if (random.Next(3) == 0)
            bytes.Write(FrameConnection.Encode(Opcode.Close, [0x03, 0xE8], masked: true));
        return bytes.ToArray();
    }

    /// <summary>The upgrade request.</summary>
    public static byte[] Upgrade(string name) => Encoding.ASCII.GetBytes(
        $"GET /?i={name} HTTP/1.1\r\nHost: gateway.example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
}
