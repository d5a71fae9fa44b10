using System.Collections.Immutable;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ProxyGateway.Serving;

/// <summary>Listens on sockets that were opened before the process ran.</summary>
internal static class KestrelSystemdExtensions
{
    /// <summary>Also listens on these descriptors; on Unix sockets always without TLS, as the command line expects.</summary>
    public static void ListenOn(this KestrelServerOptions kestrel, ImmutableArray<int> descriptors, bool isHttps)
    {
        foreach (int descriptor in descriptors)
        {
            kestrel.ListenHandle((ulong)descriptor, listen =>
            {
                if (isHttps && !IsUnixSocket(descriptor))
                    listen.UseHttps();
            });
        }
    }

    private static bool IsUnixSocket(int descriptor)
    {
        // Neither disposed of nor finalized: both would shut down the socket on which Kestrel must listen.
        var socket = new Socket(new SafeSocketHandle(descriptor, ownsHandle: false));
#pragma warning disable CA1816 // not ours to dispose of
        GC.SuppressFinalize(socket);
#pragma warning restore CA1816
        return socket.AddressFamily == AddressFamily.Unix;
    }
}
