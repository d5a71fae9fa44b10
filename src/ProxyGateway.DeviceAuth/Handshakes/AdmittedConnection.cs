using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>The WebSocket of a device that was admitted before the upgrade: a <see cref="SessionPipe"/> from its first byte on.</summary>
internal sealed class AdmittedConnection(HttpContext context, Session session, TimeProvider time) : IGatedConnection, IAsyncDisposable
{
    private SessionPipe? _pipe;

    public bool IsAdmitted => true;

    public Stream Accept(Stream client) => _pipe = new SessionPipe(context, client, time);

    public Task<Stream> ShakeHandsAsync(Stream backend, CancellationToken cancellationToken)
    {
        _pipe!.Begin(session);
        return Task.FromResult(backend);
    }

    /// <summary>To be called once the proxy is through: waits for the client's close frame.</summary>
    public ValueTask DisposeAsync() => _pipe is null ? ValueTask.CompletedTask : _pipe.FinishAsync(isStranger: false);
}
