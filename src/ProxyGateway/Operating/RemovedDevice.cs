namespace ProxyGateway.Operating;

/// <summary>The output of <c>devices remove --json</c>.</summary>
internal sealed record RemovedDevice(string Id, bool Removed);
