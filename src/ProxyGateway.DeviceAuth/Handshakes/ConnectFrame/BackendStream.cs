namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// The backend's stream as the proxy sees it. When the backend has challenged, nothing more is read from it for a moment, or until
/// something goes to it. If nothing will, since the client is refused or has left, the stream ends for the proxy right there: with no read
/// under way the tunnel is gone at once and without an exception, and the backend has heard nothing of that client.
/// </summary>
/// <param name="backend">The stream of the backend's connection.</param>
/// <param name="handshake">What tells how long to wait.</param>
internal sealed class BackendStream(Stream backend, ConnectFrameExchange handshake) : DuplexStream
{
    private ConnectFrameExchange? _handshake = handshake; // null once nothing is held any more

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        _handshake is { HasChallenged: true } ? ReadHeldAsync(buffer, cancellationToken) : backend.ReadAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        backend.WriteAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => backend.FlushAsync(cancellationToken);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            backend.Dispose();
        base.Dispose(disposing);
    }

    private async ValueTask<int> ReadHeldAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (!await _handshake!.GoesOnAsync(cancellationToken))
            return 0;
        _handshake = null;
        return await backend.ReadAsync(buffer, cancellationToken);
    }
}
