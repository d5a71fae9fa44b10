namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>A request feature: the subprotocol of the answer to an upgrade if the backend chooses none. Chrome fails a connection that offered some and gets none.</summary>
/// <param name="Name">The subprotocol, which the client has offered.</param>
internal sealed record FallbackSubprotocol(string Name);
