namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>How the gateway is, for clients that accept JSON.</summary>
/// <param name="Status"><c>alive</c> or <c>ready</c>.</param>
/// <param name="Notice">What its owner should know although it is ready; absent if nothing.</param>
internal sealed record HealthView(string Status, string? Notice = null);
