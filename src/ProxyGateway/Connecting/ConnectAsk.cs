namespace ProxyGateway.Connecting;

/// <summary>The parameters of a device's connection.</summary>
internal sealed record ConnectAsk(Uri Url, string Role, IReadOnlyList<string> Scopes, string? Token);
