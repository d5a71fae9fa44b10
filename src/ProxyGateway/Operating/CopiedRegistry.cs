namespace ProxyGateway.Operating;

/// <summary>What <c>registry copy --json</c> prints.</summary>
internal sealed record CopiedRegistry(int Devices, int Paired, int Refused, int Requests);
