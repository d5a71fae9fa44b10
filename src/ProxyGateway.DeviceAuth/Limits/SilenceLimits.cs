using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>Bounds how long a client may send nothing, or only part of its request: such a connection costs a file handle.</summary>
internal static class SilenceLimits
{
    public static void Apply(KestrelServerOptions kestrel)
    {
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(60);
    }
}
