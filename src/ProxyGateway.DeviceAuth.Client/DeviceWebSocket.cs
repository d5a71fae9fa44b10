using System.Net.WebSockets;

namespace ProxyGateway.DeviceAuth.Client;

/// <summary>Opens WebSockets with a device's proof.</summary>
public static class DeviceWebSocket
{
    /// <summary>Opens a WebSocket, over HTTP/1.1 unless the options say otherwise.</summary>
    /// <param name="url">The URL: wss or https; ws or http on loopback alone.</param>
    /// <param name="handler">Makes the proof and sends the upgrade; its <see cref="DelegatingHandler.InnerHandler"/> must be set. It may serve requests as well.</param>
    /// <param name="configure">Sets subprotocols, headers and so on; null: nothing. Proxies, cookies and certificates are the transport's.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <returns>The open WebSocket. The caller disposes of it.</returns>
    /// <exception cref="GateRefusedException">The gateway has refused the device.</exception>
    /// <exception cref="WebSocketException">The gateway cannot be reached, or the backend has not accepted the WebSocket.</exception>
    public static async Task<ClientWebSocket> ConnectAsync(
        Uri url, DeviceHttpHandler handler, Action<ClientWebSocketOptions>? configure = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(url);
        ArgumentNullException.ThrowIfNull(handler);
        using var refusals = new Refusals(handler);
        using var invoker = new HttpMessageInvoker(refusals, disposeHandler: false);
        var socket = new ClientWebSocket();
        try
        {
            configure?.Invoke(socket.Options);
            Uri target = new UriBuilder(url) { Scheme = GateUrl.IsTls(url) ? Uri.UriSchemeWss : Uri.UriSchemeWs, Port = url.Port }.Uri;
            await socket.ConnectAsync(target, invoker, cancellationToken).ConfigureAwait(false);
            return socket;
        }
        catch (WebSocketException) when (refusals.Last is not null)
        {
            socket.Dispose();
            throw new GateRefusedException(refusals.Last);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Reads the answer that <see cref="ClientWebSocket"/> throws away.</summary>
    private sealed class Refusals(HttpMessageHandler handler) : HttpMessageHandler
    {
        private readonly HttpMessageInvoker _inner = new(handler, disposeHandler: false);

        public GateProblem? Last { get; private set; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            HttpResponseMessage response = await _inner.SendAsync(request, cancellationToken).ConfigureAwait(false);
            Last = await GateProblem.ReadAsync(response, cancellationToken).ConfigureAwait(false);
            return response;
        }

        protected override void Dispose(bool disposing)
        {
            _inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
