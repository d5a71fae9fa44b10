using System.Collections.Immutable;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ProxyGateway.Serving;

/// <summary>Serving on sockets that were opened before the process ran.</summary>
internal static class KestrelSystemdExtensions
{
    /// <summary>Serves on these descriptors, too.</summary>
    public static void ListenOn(this KestrelServerOptions kestrel, ImmutableArray<int> descriptors, bool isHttps)
    {
        foreach (int descriptor in descriptors)
        {
            kestrel.ListenHandle((ulong)descriptor, listen =>
            {
                if (isHttps)
                    listen.UseHttps();
            });
        }
    }
}
