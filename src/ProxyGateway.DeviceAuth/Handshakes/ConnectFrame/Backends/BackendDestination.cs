using Microsoft.AspNetCore.Http;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Model;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

/// <summary>The destination to which the proxy forwards a request, and how it reaches it.</summary>
/// <param name="Cluster">The id of its cluster.</param>
/// <param name="Id">Its own id within the cluster.</param>
/// <param name="Address">Its WebSocket address.</param>
/// <param name="Host">The <c>Host</c> that the destination is configured with; null for that of the address.</param>
/// <param name="Client">The cluster's HTTP client: the proxy's own settings, TLS included.</param>
internal sealed record BackendDestination(string Cluster, string Id, Uri Address, string? Host, HttpMessageInvoker Client)
{
    /// <summary>The destination of a request that is being forwarded; null if the proxy has none on record.</summary>
    public static BackendDestination? Of(HttpContext context)
    {
        IReverseProxyFeature? proxy = context.Features.Get<IReverseProxyFeature>();
        if (proxy?.ProxiedDestination is not { } destination)
            return null;
        DestinationConfig config = destination.Model.Config;
        var address = new UriBuilder(config.Address);
        address.Scheme = address.Scheme == Uri.UriSchemeHttps ? Uri.UriSchemeWss : Uri.UriSchemeWs;
        return new BackendDestination(proxy.Cluster.Config.ClusterId, destination.DestinationId, address.Uri, config.Host, proxy.Cluster.HttpClient);
    }

    /// <summary>For the log.</summary>
    public override string ToString() => $"{Cluster}/{Id}";
}
