using Microsoft.AspNetCore.Connections;

namespace ProxyGateway.Serving;

/// <summary>
/// Has a socket's bytes handled on the thread that was told of them, the event loop of .NET's sockets, of which there is one a processor.
/// Relaying a message is a few microseconds of work, less than handing it to another thread costs. What may take longer, or wait on a lock
/// or a file, must leave the loop first, as a handshake does before it is decided: a loop that stands still holds up all its connections.
/// </summary>
internal static class EventLoops
{
    // Read once by .NET, before the first socket; it has no setting for this in runtimeconfig.json.
    private const string InlineCompletions = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    private static bool AreInUse => Environment.GetEnvironmentVariable(InlineCompletions) == "1";

    /// <summary>To be called before the first socket is made. An environment that says otherwise is heeded.</summary>
    public static void Prepare()
    {
        if (Environment.GetEnvironmentVariable(InlineCompletions) is null)
            Environment.SetEnvironmentVariable(InlineCompletions, "1");
    }

    /// <summary>Has the server's connections handled on the loops, and received into large blocks.</summary>
    public static void UseEventLoops(this IWebHostBuilder host)
    {
        // Without this, Kestrel hands on what the loop gives it, and without the other this saves nothing.
        if (AreInUse)
            host.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true);
        host.ConfigureServices(services => services.AddSingleton<IMemoryPoolFactory<byte>, BlockPool>());
    }
}
