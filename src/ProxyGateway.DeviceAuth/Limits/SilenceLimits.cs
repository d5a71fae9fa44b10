using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>A client that has connected and says nothing, or not all of its request, costs a file handle: for as long as any other part of a handshake may take.</summary>
internal static class SilenceLimits
{
    public static void Apply(KestrelServerOptions kestrel)
    {
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(60);
    }
}
