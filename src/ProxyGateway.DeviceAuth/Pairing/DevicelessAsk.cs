namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>What a client without a device asks for, and what it has shown.</summary>
/// <param name="Audience">The audience of the route.</param>
/// <param name="Role">The one role of this connection.</param>
/// <param name="Scopes">The permissions it asks for inside the role.</param>
/// <param name="Client">What the client says about itself; never verified.</param>
/// <param name="ShowsSharedToken">Whether it has shown the shared token, of which there is one.</param>
/// <param name="ActsForAnother">Whether it says that it acts for somebody else.</param>
internal sealed record DevicelessAsk(Audience Audience, string Role, ScopeSet Scopes, ClientDescription Client, bool ShowsSharedToken, bool ActsForAnother);
