namespace ProxyGateway.Connecting;

/// <summary>What a device asks for.</summary>
internal sealed record ConnectAsk(Uri Url, string Role, IReadOnlyList<string> Scopes, string? Token);
