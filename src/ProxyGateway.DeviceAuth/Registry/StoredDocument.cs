using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A document in a store.</summary>
/// <param name="Record">The record.</param>
/// <param name="ExpiresAt">When the store forgets it, by its own time; null for never.</param>
public readonly record struct StoredDocument(DeviceRecord Record, DateTimeOffset? ExpiresAt);
