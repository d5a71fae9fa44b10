namespace ProxyGateway.Forwarding;

/// <summary>The listener through which a connection has come, as a feature of the connection.</summary>
internal sealed record ForwardListener(ForwardTarget Target, ForwardWatch Watch);
