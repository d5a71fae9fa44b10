namespace ProxyGateway.DeviceAuth.Health;

/// <summary>Why a gate admits nobody now.</summary>
/// <param name="IsStopping">Whether the gateway is stopping, and will not be ready again.</param>
/// <param name="Description">One sentence that anybody may read: it names no address and no secret.</param>
public sealed record NotReady(bool IsStopping, string Description);
