namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>
/// The names of attributes of metrics and spans. Their values come from the configuration or from closed lists: a value that a stranger could choose would let
/// strangers make as many time series as they like.
/// </summary>
internal static class TagNames
{
    /// <summary>The value of a route or an audience where a request has none.</summary>
    public const string None = "none";

    public const string Route = "proxygateway.route";
    public const string Handshake = "proxygateway.handshake";
    public const string Audience = "proxygateway.audience";
    public const string Outcome = "proxygateway.outcome";
    public const string Step = "proxygateway.handshake.step";
    public const string End = "proxygateway.session.end";
    public const string Operation = "proxygateway.registry.operation";
    public const string Trigger = "proxygateway.revocation.trigger";
    public const string Source = "proxygateway.audit.source";
    public const string Budget = "proxygateway.budget";
    public const string Key = "proxygateway.key";
    public const string Reason = "proxygateway.reason";
    public const string Listener = "proxygateway.listener";

    /// <summary>Of spans alone: the first digits of a device's id. A metric never has it.</summary>
    public const string Device = "proxygateway.device";
}
