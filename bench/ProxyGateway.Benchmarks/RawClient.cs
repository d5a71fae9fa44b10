using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Benchmarks;

/// <summary>A client on a bare socket, that says it comes from some address and does no more than it must.</summary>
internal sealed class RawClient : IDisposable
{
    private static readonly ConnectFrame Connect = new() { Scopes = ["operator.read"], Client = new ClientClaim { Version = "1", Platform = "linux" } };

    private static readonly byte[] CloseFrame = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8]; // 1000

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _buffer = new byte[8192];
    private int _length;

    /// <summary>Why the device was not admitted, if it was told.</summary>
    public string? Refusal { get; private set; }

    public static async Task<RawClient> ConnectAsync(int port)
    {
        var client = new RawClient();
        try
        {
            await client._socket.ConnectAsync(IPAddress.Loopback, port);
            return client;
        }
        catch (SocketException)
        {
            client.Dispose();
            throw;
        }
    }

    public ValueTask<int> SendAsync(ReadOnlyMemory<byte> bytes) => _socket.SendAsync(bytes);

    /// <summary>What comes after the messages that were taken; 0 at the end.</summary>
    public ValueTask<int> ReceiveAsync(Memory<byte> buffer) => _socket.ReceiveAsync(buffer);

    public Task<int> SendAsync(string text) => _socket.SendAsync(Encoding.ASCII.GetBytes(text));

    /// <summary>A text frame of 1,000 bytes, up to its middle.</summary>
    public Task<int> SendHalfAFrameAsync()
    {
        byte[] half = [0x81, 0xFE, 0x03, 0xE8, 0, 0, 0, 0, .. new byte[500]];
        return _socket.SendAsync(half);
    }

    /// <summary>Asks for an upgrade, as if from an address or, without one, as a local client; the status of the answer, 0 if the connection ended. An answer that refuses may be followed by another attempt.</summary>
    public async Task<int> UpgradeAsync(string? address = null, string path = "/", string? proof = null)
    {
        string whence = address is null ? "Host: localhost" : $"Host: gateway.example\r\nX-Forwarded-For: {address}";
        string proven = proof is null ? "" : $"Device-Proof: {proof}\r\n";
        await SendAsync($"GET {path} HTTP/1.1\r\n{whence}\r\n{proven}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        int end;
        while ((end = _buffer.AsSpan(0, _length).IndexOf("\r\n\r\n"u8)) < 0)
        {
            if (!await ReceiveAsync())
                return 0;
        }

        int status = int.Parse(Encoding.ASCII.GetString(_buffer, 9, 3), System.Globalization.CultureInfo.InvariantCulture);
        Consume(end + 4);
        while (status != 101 && _buffer.AsSpan(0, _length).IndexOf("0\r\n\r\n"u8) < 0)
        {
            if (!await ReceiveAsync())
                return status;
        }

        if (status != 101)
            _length = 0;
        return status;
    }

    /// <summary>The next message; null at a close frame or the end.</summary>
    public async Task<string?> ReceiveTextAsync()
    {
        while (true)
        {
            if (TryTakeFrame(out int opcode, out string payload))
                return opcode == 1 ? payload : null;
            if (!await ReceiveAsync())
                return null;
        }
    }

    public Task<int> SendTextAsync(string text)
    {
        byte[] payload = Encoding.UTF8.GetBytes(text);
        byte[] frame = new byte[8 + payload.Length]; // masked with zeros
        frame[0] = 0x81;
        frame[1] = 0xFE;
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), (ushort)payload.Length);
        payload.CopyTo(frame.AsSpan(8));
        return _socket.SendAsync(frame);
    }

    /// <summary>After an upgrade: proves to be a device, or pretends to. Whether it was admitted.</summary>
    public async Task<bool> ProveAsync(DeviceIdentity device, bool forged = false)
    {
        if (await ReceiveTextAsync() is not { } challenge)
            return false;
        string nonce = JsonDocument.Parse(challenge).RootElement.GetProperty("payload").GetProperty("nonce").GetString()!;
        string frame = await Connect.SignAsync(device, "1", forged ? "" : nonce, DateTimeOffset.UtcNow);
        await SendTextAsync(forged ? frame.Replace("\"nonce\":\"\"", $"\"nonce\":\"{nonce}\"", StringComparison.Ordinal) : frame); // signed for no nonce
        if (await ReceiveTextAsync() is not { } answer)
            return false;
        JsonElement response = JsonDocument.Parse(answer).RootElement;
        bool isAdmitted = response.GetProperty("ok").GetBoolean();
        Refusal = isAdmitted ? null : response.GetProperty("error").GetProperty("message").GetString();
        return isAdmitted;
    }

    /// <summary>Says goodbye and waits for the end.</summary>
    public async Task CloseAsync()
    {
        await _socket.SendAsync(CloseFrame);
        do
        {
            _length = 0;
        }
        while (await ReceiveAsync());
    }

    public void Dispose() => _socket.Dispose();

    private async Task<bool> ReceiveAsync()
    {
        int received;
        try
        {
            received = await _socket.ReceiveAsync(_buffer.AsMemory(_length));
        }
        catch (SocketException)
        {
            return false;
        }

        _length += received;
        return received > 0;
    }

    private bool TryTakeFrame(out int opcode, out string payload)
    {
        (opcode, payload) = (0, "");
        if (_length < 2)
            return false;
        (int header, int size) = _buffer[1] switch
        {
            126 => (4, _length < 4 ? int.MaxValue - 4 : BinaryPrimitives.ReadUInt16BigEndian(_buffer.AsSpan(2))),
            var short7 => (2, short7),
        };
        if (_length < header + size)
            return false;
        opcode = _buffer[0] & 0x0F;
        payload = Encoding.UTF8.GetString(_buffer, header, size);
        Consume(header + size);
        return true;
    }

    private void Consume(int count)
    {
        _buffer.AsSpan(count, _length - count).CopyTo(_buffer);
        _length -= count;
    }
}
