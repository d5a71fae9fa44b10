namespace ProxyGateway.Operating;

/// <summary>What <c>devices remove --json</c> prints.</summary>
internal sealed record RemovedDevice(string Id, bool Removed);
