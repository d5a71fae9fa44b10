using System.Globalization;
using System.Text;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.WebSockets;

namespace ProxyGateway.Tests.Handshakes.InMemory;

/// <summary>The other end of one of the gate's streams, as a test holds it: a client, or a backend.</summary>
/// <param name="stream">The stream.</param>
/// <param name="isMasking">Whether it is a client, whose frames are masked.</param>
internal sealed class Endpoint(SocketStream stream, bool isMasking)
{
    /// <summary>How long a test waits for what must come; less while the code is mutated, where it often does not.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(
        int.Parse(Environment.GetEnvironmentVariable("PROXYGATEWAY_TEST_PATIENCE") ?? "20", CultureInfo.InvariantCulture));

    private readonly List<byte> _received = [];

    public SocketStream Stream => stream;

    /// <summary>A frame as this end sends it.</summary>
    public byte[] Frame(Opcode opcode, string payload, bool isFinal = true) => SomeFrames.Encode(opcode, Encoding.UTF8.GetBytes(payload), isMasking, isFinal);

    /// <summary>Sends a text message. All that the gate does about it at once has happened after this.</summary>
    public Task SendAsync(string text) => SendAsync(Frame(Opcode.Text, text));

    public Task SendAsync(Opcode opcode, string payload) => SendAsync(Frame(opcode, payload));

    // On a thread of its own, where the gate's code goes on within the write: a test's thread has a context that would have it queued.
    public Task SendAsync(byte[] bytes) => Task.Run(async () => await stream.WriteAsync(bytes));

    public Task CloseAsync() => Task.Run(stream.HangUp);

    public Task ResetAsync() => Task.Run(stream.Reset);

    /// <summary>The next frame, as in <c>Text {}</c> or <c>Close 1008 handshake timeout</c>; <c>end</c> if none comes any more.</summary>
    public async Task<string> ReceiveAsync()
    {
        while (true)
        {
            if (FrameHeader.TryRead([.. _received], out FrameHeader header) == FrameHeaderStatus.Complete && _received.Count >= header.HeaderLength + header.PayloadLength)
            {
                byte[] payload = [.. _received.Skip(header.HeaderLength).Take((int)header.PayloadLength)];
                _received.RemoveRange(0, header.HeaderLength + payload.Length);
                header.IsMasked.ShouldBe(!isMasking, "a backend gets masked frames, and a client none");
                if (header.IsMasked)
                    Masking.Apply(payload, header.Mask);
                return header.Opcode == Opcode.Close
                    ? $"Close {(payload[0] << 8) | payload[1]} {Encoding.UTF8.GetString(payload.AsSpan(2))}".TrimEnd()
                    : $"{header.Opcode} {Encoding.UTF8.GetString(payload)}".TrimEnd();
            }

            byte[] buffer = new byte[64 * 1024];
            int length = await stream.ReadAsync(buffer).AsTask().WaitAsync(Patience);
            if (length == 0)
                return _received.Count == 0 ? "end" : $"end after {Convert.ToHexString([.. _received])}";
            _received.AddRange(buffer.AsSpan(0, length));
        }
    }

    /// <summary>All frames that come until the other end closes.</summary>
    public async Task<string[]> ReceiveAllAsync()
    {
        var frames = new List<string>();
        while (await ReceiveAsync() is var frame && !frame.StartsWith("end", StringComparison.Ordinal))
            frames.Add(frame);
        return [.. frames];
    }
}
