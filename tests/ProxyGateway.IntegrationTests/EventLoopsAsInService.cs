using System.Runtime.CompilerServices;
using ProxyGateway.Serving;

namespace ProxyGateway.IntegrationTests;

/// <summary>Has gateways inside this process use the sockets' event loops as the program does.</summary>
internal static class EventLoopsAsInService
{
    [ModuleInitializer]
    internal static void Prepare() => EventLoops.Prepare();
}
