namespace ProxyGateway.Operating;

/// <summary>What <c>sessions end --json</c> prints.</summary>
internal sealed record EndedSession(string Id, bool Ended);
