using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace ProxyGateway.Serving;

/// <summary>
/// Kestrel's sockets, with a bound on the connections of all listeners of a server together, however they were configured.
/// </summary>
/// <param name="sockets">Kestrel's own factory.</param>
/// <param name="door">Accepts or refuses connections.</param>
internal sealed class BoundedListenerFactory(SocketTransportFactory sockets, ConnectionDoor door) : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    /// <inheritdoc/>
    public bool CanBind(EndPoint endpoint) => sockets.CanBind(endpoint);

    /// <inheritdoc/>
    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        new Listener(await sockets.BindAsync(endpoint, cancellationToken), door);

    private sealed class Listener(IConnectionListener inner, ConnectionDoor door) : IConnectionListener
    {
        public EndPoint EndPoint => inner.EndPoint;

        // Refused here, and not in a connection middleware: before one of these runs, a burst may have been accepted past every bound.
        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (await inner.AcceptAsync(cancellationToken) is { } connection)
            {
                if (door.TryEnter(connection) is { } entered)
                    return entered;
                connection.Abort(new ConnectionAbortedException("There are too many connections."));
                await connection.DisposeAsync();
            }

            return null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => inner.UnbindAsync(cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
