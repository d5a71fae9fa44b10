using Microsoft.AspNetCore.Connections;

namespace ProxyGateway.Serving;

/// <summary>
/// Handles a socket's bytes on the thread to which the kernel reported them, the event loop of .NET's sockets, one for each processor.
/// Relaying a message is a few microseconds of work, less than handing it to another thread. Work that may take longer, or wait for a lock
/// or a file, must leave the loop first, as a handshake does before it is decided: a blocked loop blocks all its connections.
/// </summary>
internal static class EventLoops
{
    // Read once by .NET, before the first socket; it has no setting for this in runtimeconfig.json.
    private const string InlineCompletions = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    private static bool AreInUse => Environment.GetEnvironmentVariable(InlineCompletions) == "1";

    /// <summary>To be called before the first socket is made. It does not override the environment.</summary>
    public static void Prepare()
    {
        if (Environment.GetEnvironmentVariable(InlineCompletions) is null)
            Environment.SetEnvironmentVariable(InlineCompletions, "1");
    }

    /// <summary>Handles the server's connections on the loops, and receives into large blocks.</summary>
    public static void UseEventLoops(this IWebHostBuilder host)
    {
        // Without this, Kestrel hands the loop's work to another thread, and without the other setting this saves nothing.
        if (AreInUse)
            host.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true);
        host.ConfigureServices(services => services.AddSingleton<IMemoryPoolFactory<byte>, BlockPool>());
    }
}
