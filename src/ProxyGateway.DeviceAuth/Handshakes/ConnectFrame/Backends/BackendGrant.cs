using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

/// <summary>What the gate grants to a device: the bound of what it approves at a backend.</summary>
/// <param name="Claim">The claim that was admitted.</param>
/// <param name="Record">The device's record, which covers the claim.</param>
/// <param name="Implications">Which scopes include which others.</param>
internal sealed record BackendGrant(DeviceClaim Claim, DeviceRecord Record, ScopeImplications Implications)
{
    private const string Operator = "operator";

    /// <summary>
    /// The refusal by which the backend asks. It names what the device had there; the backend's list can name less, since OpenClaw leaves <c>approvedScopes</c> out of
    /// it, and its answer to an approval names all.
    /// </summary>
    public BackendRefusal Question { get; init; } = BackendRefusal.Unknown;

    /// <summary>
    /// Whether all that a backend would approve is granted in the audience of its route: each role, and each scope in one of these roles. A backend keeps one list of scopes for all
    /// roles of a request, and merges what a device asked for before into it, also what the device has asked for past the gate.
    /// </summary>
    public bool Covers(PendingPairing pending) =>
        pending.Device == Claim.Device.ToString()
        && pending.Roles.Count > 0
        && pending.Roles.All(IsGranted)
        && pending.Scopes.All(scope => IsGranted(scope, pending));

    /// <summary>Whether all that a device has got at a backend by an approval is granted; not what it had before.</summary>
    /// <param name="before">What it had by the backend's list; null: nothing, whatever the refusal has said.</param>
    /// <param name="after">What it has.</param>
    public bool CoversAddition(PendingPairing? before, PendingPairing after)
    {
        ScopeSet roles = before?.Roles.Union(Question.ApprovedRoles) ?? ScopeSet.Empty;
        ScopeSet scopes = before?.Scopes.Union(Question.ApprovedScopes) ?? ScopeSet.Empty;
        return after.Roles.All(role => roles.Contains(role) || IsGranted(role))
            && after.Scopes.All(scope => scopes.Contains(scope) || IsGranted(scope, after));
    }

    private bool IsGranted(string role) => role == Claim.Role || Record.Grants.GetValueOrDefault(KeyOf(role))?.Scopes is not null;

    private bool IsGranted(string scope, PendingPairing pending) =>
        pending.Roles.Any(role => MayCount(role, scope, pending) && Implications.Covers(role, ScopesOf(role), ScopeSet.Of(scope)));

    // The backend gives scopes of operators to the role of operators, also those that were granted to a node, where they mean nothing.
    private static bool MayCount(string role, string scope, PendingPairing pending) =>
        role == Operator || !pending.Roles.Contains(Operator) || !scope.StartsWith("operator.", StringComparison.Ordinal);

    private ScopeSet ScopesOf(string role) => role == Claim.Role ? Record.ScopesOf(Claim.Key).Union(Claim.Scopes) : Record.ScopesOf(KeyOf(role));

    // The backend is one agent: what the device may do at another says nothing here.
    private GrantKey KeyOf(string role) => new(Claim.Audience, role);
}
