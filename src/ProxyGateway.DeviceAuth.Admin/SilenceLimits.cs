using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Bounds how long a client may send nothing, or only part of its request: such a connection costs a file handle.</summary>
public static class SilenceLimits
{
    /// <summary>Sets the time-outs: 10 seconds for the headers of a request, 60 seconds between requests.</summary>
    /// <param name="kestrel">The options of the listener.</param>
    public static void Apply(KestrelServerOptions kestrel)
    {
        ArgumentNullException.ThrowIfNull(kestrel);
        kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
        kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(60);
    }
}
