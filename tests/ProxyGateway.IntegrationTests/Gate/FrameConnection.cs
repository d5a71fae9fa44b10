using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A frame, unmasked.</summary>
internal sealed record Frame(Opcode Opcode, bool IsFinal, byte[] Payload)
{
    public string Text => Encoding.UTF8.GetString(Payload);

    public JsonElement Json => JsonSerializer.Deserialize<JsonElement>(Payload);

    public int CloseCode => Payload.Length >= 2 ? BinaryPrimitives.ReadUInt16BigEndian(Payload) : 1005;

    public string CloseReason => Payload.Length > 2 ? Encoding.UTF8.GetString(Payload, 2, Payload.Length - 2) : "";
}

/// <summary>Either end of a WebSocket connection, frame by frame: tests send what no library would.</summary>
/// <param name="stream">The upgraded stream.</param>
/// <param name="masks">Whether frames sent are masked, as a client's are.</param>
internal sealed class FrameConnection(Stream stream, bool masks) : IAsyncDisposable
{
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Every byte that was received.</summary>
    public MemoryStream Received { get; } = new();

    /// <summary>Of a backend's connection: the upgrade request.</summary>
    public HttpContext? Request { get; init; }

    /// <summary>Of a backend's connection: completes when its script is over, and nothing more is received.</summary>
    public Task Completion => _completion.Task.WaitAsync(Eventually.Patience);

    public void Complete() => _completion.TrySetResult();

    /// <summary>The frames in what was received; a last one that is not whole is left out.</summary>
    public async Task<IReadOnlyList<Frame>> ReceivedFramesAsync()
    {
        await using var replay = new FrameConnection(new MemoryStream(Received.ToArray()), masks);
        return await replay.ReceiveToEndAsync();
    }

    /// <summary>What was received, each frame's payload on a line.</summary>
    public async Task<string> ReceivedTextAsync() => string.Join('\n', (await ReceivedFramesAsync()).Select(f => f.Text));

    public static byte[] Encode(Opcode opcode, ReadOnlySpan<byte> payload, bool masked, bool isFinal = true)
    {
        using var frame = new MemoryStream();
        frame.WriteByte((byte)((isFinal ? 0x80 : 0) | (byte)opcode));
        int mask = masked ? 0x80 : 0;
        Span<byte> length = stackalloc byte[8];
        switch (payload.Length)
        {
            case < 126:
                frame.WriteByte((byte)(mask | payload.Length));
                break;
            case <= ushort.MaxValue:
                frame.WriteByte((byte)(mask | 126));
                BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)payload.Length);
                frame.Write(length[..2]);
                break;
            default:
                frame.WriteByte((byte)(mask | 127));
                BinaryPrimitives.WriteUInt64BigEndian(length, (ulong)payload.Length);
                frame.Write(length);
                break;
        }

        if (!masked)
        {
            frame.Write(payload);
            return frame.ToArray();
        }

        byte[] key = [0x11, 0x22, 0x33, 0x44];
        frame.Write(key);
        for (int i = 0; i < payload.Length; i++)
        {
            frame.WriteByte((byte)(payload[i] ^ key[i & 3]));
        }

        return frame.ToArray();
    }

    public Task SendTextAsync(string text, bool isFinal = true) => SendAsync(Opcode.Text, Encoding.UTF8.GetBytes(text), isFinal);

    public Task SendAsync(Opcode opcode, byte[] payload, bool isFinal = true) => SendRawAsync(Encode(opcode, payload, masks, isFinal));

    public async Task SendRawAsync(byte[] bytes)
    {
        Request?.RequestAborted.ThrowIfCancellationRequested(); // what is written to a connection that is gone goes nowhere, without a word
        await _sending.WaitAsync();
        try
        {
            await stream.WriteAsync(bytes);
            await stream.FlushAsync();
        }
        finally
        {
            _sending.Release();
        }
    }

    public Task CloseAsync(ushort code = 1000)
    {
        byte[] payload = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(payload, code);
        return SendAsync(Opcode.Close, payload);
    }

    /// <summary>The next frame; null at the end of the stream.</summary>
    public async Task<Frame?> ReceiveAsync(TimeSpan? patience = null)
    {
        using var timeout = new CancellationTokenSource(patience ?? Eventually.Patience);
        var header = new byte[2];
        if (!await FillAsync(header, timeout.Token))
            return null;
        long length = header[1] & 0x7F;
        if (length >= 126)
        {
            var extended = new byte[length == 126 ? 2 : 8];
            if (!await FillAsync(extended, timeout.Token))
                return null;
            length = extended.Aggregate(0L, (sum, b) => (sum << 8) | b);
        }

        var mask = new byte[(header[1] & 0x80) != 0 ? 4 : 0];
        var payload = new byte[length];
        if (!await FillAsync(mask, timeout.Token) || !await FillAsync(payload, timeout.Token))
            return null;
        for (int i = 0; mask.Length > 0 && i < payload.Length; i++)
        {
            payload[i] ^= mask[i & 3];
        }

        return new Frame((Opcode)(header[0] & 0x0F), (header[0] & 0x80) != 0, payload);
    }

    /// <summary>The next data frame's JSON; control frames before it are passed over.</summary>
    public async Task<JsonElement> ReceiveJsonAsync()
    {
        while (true)
        {
            Frame frame = await ReceiveAsync() ?? throw new EndOfStreamException("The connection ended where a message was expected.");
            if (frame.Opcode == Opcode.Close)
                throw new EndOfStreamException($"Closed with {frame.CloseCode} {frame.CloseReason} where a message was expected.");
            if (frame.Opcode == Opcode.Text)
                return frame.Json;
        }
    }

    /// <summary>Reads on to the close frame, passing over everything else.</summary>
    public async Task<Frame> ReceiveCloseAsync()
    {
        while (await ReceiveAsync() is { } frame)
        {
            if (frame.Opcode == Opcode.Close)
                return frame;
        }

        throw new EndOfStreamException("The connection ended without a close frame.");
    }

    /// <summary>Reads on to the end of the stream; what came.</summary>
    public async Task<IReadOnlyList<Frame>> ReceiveToEndAsync()
    {
        var frames = new List<Frame>();
        while (await ReceiveAsync() is { } frame)
        {
            frames.Add(frame);
        }

        return frames;
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private async Task<bool> FillAsync(byte[] buffer, CancellationToken cancellationToken)
    {
        int filled = 0;
        while (filled < buffer.Length)
        {
            int read;
            try
            {
                read = await stream.ReadAsync(buffer.AsMemory(filled), cancellationToken);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
            {
                return false;
            }

            if (read == 0)
                return false;
            Received.Write(buffer, filled, read);
            filled += read;
        }

        return true;
    }
}
