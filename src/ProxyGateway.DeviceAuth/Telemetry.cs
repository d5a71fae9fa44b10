namespace ProxyGateway.DeviceAuth;

/// <summary>The names of this library's telemetry.</summary>
public static class Telemetry
{
    /// <summary>The meter of all instruments.</summary>
    public const string MeterName = "ProxyGateway.DeviceAuth";

    /// <summary>The source of all spans.</summary>
    public const string ActivitySourceName = "ProxyGateway.DeviceAuth";
}
