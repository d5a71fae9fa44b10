namespace ProxyGateway.Operating;

/// <summary>The output of <c>registry copy --json</c>.</summary>
internal sealed record CopiedRegistry(int Devices, int Paired, int Refused, int Requests);
