using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

/// <summary>What the gate has granted to a device: the bound of what it approves at a backend.</summary>
/// <param name="Claim">The claim that was admitted.</param>
/// <param name="Record">The record that it was admitted by.</param>
/// <param name="Implications">Which scopes include which others.</param>
internal sealed record BackendGrant(DeviceClaim Claim, DeviceRecord Record, ScopeImplications Implications)
{
    /// <summary>
    /// Whether all that a backend would approve is granted: each role, and each scope in one of these roles. A backend keeps one list of scopes for all
    /// roles of a request, and merges what a device asked for before into it, also what the device has asked for past the gate.
    /// </summary>
    public bool Covers(PendingPairing pending) =>
        pending.Device == Claim.Device.ToString()
        && pending.Roles.Count > 0
        && pending.Roles.All(role => role == Claim.Role || Record.Grants.ContainsKey(role))
        && pending.Scopes.All(scope => pending.Roles.Any(role => Implications.Covers(role, ScopesOf(role), ScopeSet.Of(scope))));

    private ScopeSet ScopesOf(string role) => role == Claim.Role ? Record.ScopesOf(role).Union(Claim.Scopes) : Record.ScopesOf(role);
}
