using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// The client's stream as the proxy sees it: what the proxy reads is what may go to the backend, and what it writes came from there.
/// At first both ways lead through the handshake; after that this is a pipe.
/// </summary>
internal sealed class ConnectFrameStream(Stream client, ConnectFrameGate gate, SessionPipe pipe) : GatedStream
{
    private ConnectFrameExchange? _handshake = new(client, gate, pipe); // null once the connection is open
    private Session? _session;

    /// <inheritdoc/>
    public override Stream Face(Stream backend) => new BackendStream(backend, _handshake!);

    /// <summary>What goes to the backend.</summary>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        _handshake is null ? pipe.ReadAsync(buffer, cancellationToken) : ReadHandshakeAsync(buffer, cancellationToken);

    /// <summary>What comes from the backend.</summary>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        _handshake is { IsPassing: false } handshake ? handshake.WriteAsync(buffer, cancellationToken) : pipe.Outlet.WriteAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => client.FlushAsync(cancellationToken);

    /// <summary>To be called once the tunnel is gone, however it ended.</summary>
    public async Task FinishAsync()
    {
        try
        {
            if (_handshake is not null)
                await _handshake.FinishAsync();
            await pipe.DisposeAsync();
        }
        finally
        {
            if ((_session ?? _handshake?.Session) is { } session)
            {
                gate.Ended(session, pipe.Closing);
                session.Dispose();
            }

            _handshake?.Dispose();
        }
    }

    private async ValueTask<int> ReadHandshakeAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (!pipe.HasOffer)
        {
            if (await _handshake!.MoveOnAsync(cancellationToken))
                continue;
            if (!_handshake.IsOpen)
                return await _handshake.EndAsync(buffer, cancellationToken);
            Open();
            return await pipe.ReadAsync(buffer, cancellationToken);
        }

        if (_handshake!.IsRevoked)
            return await _handshake.EndAsync(buffer, cancellationToken);
        return buffer.IsEmpty ? 0 : pipe.Take(buffer);
    }

    private void Open()
    {
        _session = _handshake!.Session;
        _handshake.Dispose();
        _handshake = null;
    }
}
