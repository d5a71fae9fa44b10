namespace ProxyGateway.DeviceAuth.Overview;

/// <summary>A gateway that runs now.</summary>
/// <param name="Name">The name of its machine.</param>
/// <param name="Sessions">Its sessions that are live, or being decided.</param>
/// <param name="SecondsAgo">How old its counts are, in seconds.</param>
public sealed record OverviewGateway(string Name, long Sessions, int SecondsAgo);
