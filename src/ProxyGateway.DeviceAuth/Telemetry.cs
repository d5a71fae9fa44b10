namespace ProxyGateway.DeviceAuth;

/// <summary>By which name telemetry of this library is found.</summary>
public static class Telemetry
{
    /// <summary>The meter of everything that is counted here.</summary>
    public const string MeterName = "ProxyGateway.DeviceAuth";
}
