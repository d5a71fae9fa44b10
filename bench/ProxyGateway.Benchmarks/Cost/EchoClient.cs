using System.Diagnostics;
using System.Globalization;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>A device with a session, whose messages come back.</summary>
internal sealed class EchoClient : IDisposable
{
    private readonly RawClient _client;

    private EchoClient(RawClient client) => _client = client;

    /// <summary>How long the messages took that came back while it counted.</summary>
    public Series RoundTrips { get; } = new();

    /// <exception cref="IOException">The device was not let in.</exception>
    public static async Task<EchoClient> OpenAsync(int port, DeviceIdentity device)
    {
        RawClient client = await RawClient.ConnectAsync(port);
        int status = await client.UpgradeAsync();
        if (status == 101 && await client.ProveAsync(device))
            return new EchoClient(client);
        string refusal = status == 101 ? client.Refusal ?? "connection ended" : string.Create(CultureInfo.InvariantCulture, $"status {status}");
        client.Dispose();
        throw new IOException(refusal);
    }

    /// <summary>Keeps a number of messages under way until the window is over.</summary>
    /// <param name="window">When it counts.</param>
    /// <param name="size">Of a message, in bytes.</param>
    /// <param name="inFlight">How many messages.</param>
    public async Task RelayAsync(LoadWindow window, int size, int inFlight)
    {
        byte[] echo = FrameWriter.Text(Enumerable.Repeat((byte)'x', size).ToArray());
        byte[] message = Masked(echo, size);
        byte[] received = new byte[inFlight * echo.Length];
        var sent = new Queue<long>(inFlight); // echoes keep the order
        for (int i = 0; i < inFlight; i++)
        {
            await SendAsync(message, sent);
        }

        int length = 0;
        while (sent.Count > 0)
        {
            int more = await _client.ReceiveAsync(received.AsMemory(length));
            if (more == 0)
                throw new IOException("A session ended.");
            length += more;
            int used = 0;
            for (; length - used >= echo.Length; used += echo.Length)
            {
                if (!received.AsSpan(used, echo.Length).SequenceEqual(echo))
                    throw new IOException("What came back is not what was sent.");
                long ticks = Stopwatch.GetTimestamp() - sent.Dequeue();
                if (window.IsOpen)
                    RoundTrips.Add(ticks);
                if (!window.IsOver)
                    await SendAsync(message, sent);
            }

            received.AsSpan(used, length - used).CopyTo(received);
            length -= used;
        }
    }

    public void Dispose() => _client.Dispose();

    private async ValueTask SendAsync(byte[] message, Queue<long> sent)
    {
        sent.Enqueue(Stopwatch.GetTimestamp());
        await _client.SendAsync(message.AsMemory());
    }

    // With zeros, so that the payload is what it was.
    private static byte[] Masked(byte[] frame, int payload)
    {
        int header = frame.Length - payload;
        byte[] masked = [.. frame[..header], 0, 0, 0, 0, .. frame[header..]];
        masked[1] |= 0x80;
        return masked;
    }
}
