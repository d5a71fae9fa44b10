namespace ProxyGateway.DeviceAuth;

/// <summary>The names of this library's telemetry.</summary>
public static class Telemetry
{
    /// <summary>The meter of all counters.</summary>
    public const string MeterName = "ProxyGateway.DeviceAuth";
}
