namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The documents of a group at one time.</summary>
/// <param name="Items">Those that have not expired, in any order. One that cannot be read is left out.</param>
/// <param name="Now">The store's time. It decides about expiry.</param>
public sealed record SharedDocuments(IReadOnlyList<SharedDocument> Items, DateTimeOffset Now);
