using System.Collections.Immutable;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection.Extensions;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Diagnostics;

namespace ProxyGateway.Serving;

/// <summary>
/// Keeps the connections of both listeners beneath the process's limit of file handles. Past that, Kestrel's accept loop would spin and
/// grow until the process ends, and no file could be opened meanwhile.
/// </summary>
internal sealed partial class ConnectionBounds(IDeviceAuthSettings settings, ILogger<ConnectionBounds> logger)
{
    private const int KeptFromHandshakes = 1024;

    // Computed once, when the first listener (the operators') is about to listen.
    private readonly Lazy<FileHandles> _handles = new(() =>
    {
        FileHandles handles = FileHandles.Share();
        LogBounds(logger, handles.Connections, handles.Operators, handles.Limit);
        if (settings.Current.Limits.Connections > handles.Connections)
            LogTooMany(logger, settings.Current.Limits.Connections.Value, handles.Connections);
        return handles;
    });

    /// <summary>The limits of the data port.</summary>
    public ConnectionLimits OfDataPort => ConnectionLimits.Of(settings.Current.Limits, _handles.Value.Connections);

    /// <summary>How many handshakes may be under way: always few enough to leave places for paired devices' connections.</summary>
    public int MostHandshakes => Math.Max(1, OfDataPort.All - Math.Min(OfDataPort.All / 2, KeptFromHandshakes));

    /// <summary>The limits of the operators' port, with its own handles.</summary>
    public ConnectionLimits OfOperatorsPort => new(_handles.Value.Operators, _handles.Value.Operators);

    /// <summary>Bounds the connections of a server.</summary>
    /// <param name="services">The server's services.</param>
    /// <param name="listener">The listener's name in the log and in metrics.</param>
    /// <param name="limits">The limits.</param>
    /// <param name="trustedProxies">Proxies that only the limit for all connections applies to.</param>
    public static void Apply(
        IServiceCollection services, string listener, Func<IServiceProvider, Func<ConnectionLimits>> limits, Func<IServiceProvider, Func<ImmutableArray<IPNetwork>>> trustedProxies)
    {
        services.AddSingleton(s => new ConnectionBudget(limits(s)));
        services.AddSingleton(s => new ConnectionDoor(
            listener, s.GetRequiredService<ConnectionBudget>(), trustedProxies(s), s.GetRequiredService<GateTelemetry>(), s.GetRequiredService<PacedLogger<ConnectionDoor>>()));
        services.AddSingleton<SocketTransportFactory>();
        services.RemoveAll<IConnectionListenerFactory>();
        services.AddSingleton<IConnectionListenerFactory, BoundedListenerFactory>();
    }

    [LoggerMessage(1222, LogLevel.Information, "The data port holds up to {Connections} connections, the operators' up to {Operators}; the process may have {Handles} file handles.")]
    private static partial void LogBounds(ILogger logger, object connections, object operators, object? handles);

    [LoggerMessage(1223, LogLevel.Warning, "DeviceAuth:Limits:Connections is {Configured}, but the file handles allow only {Connections}, which is the limit; raise the limit of open files (LimitNOFILE).")]
    private static partial void LogTooMany(ILogger logger, object configured, object connections);
}
