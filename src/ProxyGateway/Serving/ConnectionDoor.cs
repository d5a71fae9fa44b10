using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Connections;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.Serving;

/// <summary>Accepts connections while there are places, and logs those that are refused or closed for others.</summary>
/// <param name="name">The listener's name in the log and in metrics.</param>
/// <param name="budget">The places.</param>
/// <param name="trustedProxies">Proxies with many clients behind them, so that the limit for an address does not apply to them.</param>
/// <param name="telemetry">Makes the counters.</param>
/// <param name="logger">The log of refusals.</param>
internal sealed partial class ConnectionDoor(
    string name, ConnectionBudget budget, Func<ImmutableArray<IPNetwork>> trustedProxies, GateTelemetry telemetry, PacedLogger<ConnectionDoor> logger)
{
    private readonly GateCounter _refused = CreateMetrics(name, budget, telemetry);

    /// <summary>The connection with its place; null if there is none, and the caller must close the connection.</summary>
    public ConnectionContext? TryEnter(ConnectionContext connection)
    {
        IPAddress? address = (connection.RemoteEndPoint as IPEndPoint)?.Address;
        IPAddress? client = address?.IsIPv4MappedToIPv6 == true ? address.MapToIPv4() : address;
        bool isProxy = client is not null && trustedProxies().Any(network => network.Contains(client));
        ConnectionScope scope = budget.TryEnter(AddressBlock.SiteOf(address), !isProxy, Close, out ConnectionPlace place, out bool hasEvicted);
        if (hasEvicted)
        {
            Count("gave-way");
            LogGaveWay(name, address);
        }

        if (scope != ConnectionScope.None)
        {
            Count(scope == ConnectionScope.Address ? "address" : "all");
            LogRefused(name, address, scope);
            return null;
        }

        connection.Features.Set(place);
        return new BoundedConnection(connection, place);

        void Close() => connection.Abort(new ConnectionAbortedException("The connection had no request under way, and its place was needed."));
    }

    private void Count(string reason) =>
        _refused.Add(1, KeyValuePair.Create<string, object?>("proxygateway.reason", reason), KeyValuePair.Create<string, object?>("proxygateway.listener", name));

    private static GateCounter CreateMetrics(string name, ConnectionBudget budget, GateTelemetry telemetry)
    {
        Meter meter = telemetry.Meter;
        meter.CreateObservableUpDownCounter(
            "proxygateway.connections.active",
            () => new Measurement<int>(budget.Connections, KeyValuePair.Create<string, object?>("proxygateway.listener", name)),
            "{connection}",
            "Connections, by listener.");
        meter.CreateObservableUpDownCounter(
            "proxygateway.connections.limit",
            () => new Measurement<int>(budget.Most, KeyValuePair.Create<string, object?>("proxygateway.listener", name)),
            "{connection}",
            "Connections that there may be, by listener.");
        return telemetry.CreateCounter(
            "proxygateway.connections.refused", "{connection}", "Connections that were refused, or closed for others while they had no request, by reason and listener.");
    }

    [LoggerMessage(1220, LogLevel.Warning, "Refused a connection to the {Listener} port from {Address}: there are too many ({Scope}, see DeviceAuth:Limits:Connections).")]
    private partial void LogRefused(string listener, IPAddress? address, object scope);

    [LoggerMessage(1221, LogLevel.Information, "A connection to the {Listener} port that had no request under way was closed for one from {Address} (DeviceAuth:Limits:Connections).")]
    private partial void LogGaveWay(string listener, IPAddress? address);
}
