using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// The connection of a client that waits for the decision about its pairing request. It is a stranger: it may send control frames, a bounded number of
/// bytes of them, and has to answer pings.
/// </summary>
/// <param name="handshake">The handshake that was refused.</param>
/// <param name="client">The client's stream.</param>
/// <param name="pipe">Writes to the client.</param>
/// <param name="wait">Its place.</param>
/// <param name="waits">Reads the registry for it.</param>
/// <param name="decision">Counts a violation.</param>
/// <param name="draining">Signals that the gateway stops.</param>
/// <param name="time">The clock.</param>
internal sealed class WaitingClient(
    HandshakeContext handshake, Stream client, SessionPipe pipe, PairingWait wait, PairingWaits waits, ConnectDecision decision, Draining draining, TimeProvider time)
{
    /// <summary>How many bytes the client may send while it waits: an hour of pings every ten seconds.</summary>
    public const int MaxBytes = 64 * 1024;

    /// <summary>How long the client may be silent before it is pinged, and again before it counts as gone.</summary>
    public static readonly TimeSpan PingAfter = TimeSpan.FromSeconds(30);

    private const int ReceiveSize = 512;
    private static readonly byte[] Ping = FrameWriter.Control(Opcode.Ping, []);

    private long _received;

    /// <summary>
    /// Tells the client that it may wait, and returns when the wait is over: what it is to get last; null if it is gone.
    /// </summary>
    /// <param name="answer">The refusal that says so, as a whole frame.</param>
    /// <param name="early">What the client has sent behind its request.</param>
    public async Task<Refusal?> WaitAsync(byte[] answer, byte[] early)
    {
        using CancellationTokenRegistration onDraining = draining.Token.UnsafeRegister(static w => ((PairingWait)w!).End(Closing.Restarting), wait);
        using CancellationTokenRegistration onGone = handshake.Http.RequestAborted.UnsafeRegister(static w => ((PairingWait)w!).End(Closing.ClientLeft), wait);
        Task watching = waits.WatchAsync(wait);
        Refusal? violation = null;
        try
        {
            await SendAsync(answer);
            violation = await HearAsync(early);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or TimeoutException or ObjectDisposedException or InvalidOperationException)
        {
            // The wait is over, or the client has left, or it takes nothing.
        }
        finally
        {
            wait.End(Closing.ClientLeft);
            await watching;
        }

        if (handshake.IsClientGone)
            return null;
        if (violation is not null)
            return violation;
        return new Refusal(
            wait.Closing!,
            wait.Resolution is { } resolution ? Answers.PairingResolved(wait.Request, wait.Claim.Device, resolution, time.GetUtcNow()) : null);
    }

    /// <summary>Answers the client's pings until the wait is over. The refusal of a client that sends anything else; null if it has left.</summary>
    private async Task<Refusal?> HearAsync(byte[] early)
    {
        using var unread = new ByteBuffer();
        unread.Append(early);
        Task<int>? hearing = null;
        bool isPinged = false;
        try
        {
            while (true)
            {
                if (await AnswerAsync(unread) is { } end)
                    return end == Closing.ClientLeft ? null : decision.Violated(handshake, end);
                hearing ??= client.ReadAsync(Memory<byte>.Empty, wait.Over).AsTask(); // holds no memory while the client is silent
                await ((Task)hearing).WaitAsync(PingAfter, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (!hearing.IsCompleted)
                {
                    if (isPinged)
                        return new Refusal(Closing.HandshakeTimeout);
                    await SendAsync(Ping);
                    isPinged = true;
                    continue;
                }

                _ = await hearing;
                hearing = null;
                isPinged = false;
                Memory<byte> space = unread.Reserve(ReceiveSize)[..ReceiveSize];
                int length = await client.ReadAsync(space, wait.Over);
                if (length == 0)
                    return null;
                pipe.Discard(space.Span[..length]);
                unread.Commit(length);
                _received += length;
            }
        }
        finally
        {
            if (hearing is { IsCompleted: false })
            {
                // The next read of the client, for its close frame, must be the only one.
                wait.End(Closing.ClientLeft);
                await ((Task)hearing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Answers what has arrived whole. How the client has ended the wait; null if it has not.</summary>
    private async ValueTask<Closing?> AnswerAsync(ByteBuffer unread)
    {
        if (_received > MaxBytes)
            return Closing.InvalidHandshake("too many control frames");
        while (true)
        {
            switch (FrameHeader.TryRead(unread.Span, out FrameHeader header))
            {
                case FrameHeaderStatus.NeedsMore:
                    if (unread.Length == 0)
                        unread.Dispose(); // it holds no memory while the client is silent
                    return null;
                case FrameHeaderStatus.Malformed:
                    return Closing.ProtocolError;
            }

            if (!header.IsMasked)
                return Closing.ProtocolError;
            if (!header.IsControl)
                return Closing.InvalidHandshake("a message while the pairing is undecided");
            int length = header.HeaderLength + (int)header.PayloadLength;
            if (unread.Length < length)
                return null;
            if (header.Opcode == Opcode.Close)
                return Closing.ClientLeft;
            if (header.Opcode == Opcode.Ping)
            {
                byte[] payload = unread.Span[header.HeaderLength..length].ToArray();
                Masking.Apply(payload, header.Mask);
                await SendAsync(FrameWriter.Control(Opcode.Pong, payload));
            }

            unread.Consume(length);
        }
    }

    // The write itself is not cancelled with the wait: half a frame would be left, and no close frame can follow that.
    private Task SendAsync(byte[] frame) =>
        pipe.Outlet.WriteAsync(frame, handshake.Http.RequestAborted).AsTask().WaitAsync(PingAfter, time, wait.Over);
}
