using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A pairing request for operators.</summary>
/// <param name="Id">The request's id.</param>
/// <param name="DeviceId">The device.</param>
/// <param name="Role">The requested role.</param>
/// <param name="Scopes">The requested scopes.</param>
/// <param name="Reason">Why the claim was not covered.</param>
/// <param name="GrantedScopes">The granted scopes, once it is approved; absent before.</param>
/// <param name="Client">The device's description of itself: never verified.</param>
/// <param name="Address">The client's address; absent if it is unknown.</param>
/// <param name="Locality">The locality of the connection that asked, by the policy in force then.</param>
/// <param name="Status">The state of the request.</param>
/// <param name="ResolvedBy">The operator or rule that decided it; absent while it is open.</param>
/// <param name="ResolvedAt">When it was decided; absent while it is open.</param>
/// <param name="CreatedAt">When it was opened.</param>
/// <param name="ExpiresAt">When it expires unless it is decided or renewed.</param>
public sealed record RequestView(
    RequestId Id,
    DeviceId DeviceId,
    string Role,
    ScopeSet Scopes,
    PairingReason Reason,
    ScopeSet? GrantedScopes,
    ClientDescription Client,
    string? Address,
    LocalityKind Locality,
    PairingRequestStatus Status,
    string? ResolvedBy,
    DateTimeOffset? ResolvedAt,
    DateTimeOffset CreatedAt,
    DateTimeOffset ExpiresAt)
{
    /// <summary>The audience of the route that the device asked at; absent for <c>default</c>.</summary>
    public Audience? Audience { get; init; }

    /// <summary>While it is open: the roles that the device has in this audience; absent if it has none.</summary>
    public IReadOnlyList<string>? HeldRoles { get; init; }

    /// <summary>While it is open: the scopes that the device has in the requested role of this audience; absent if it does not have the role.</summary>
    public ScopeSet? HeldScopes { get; init; }

    /// <summary>While it is open: the scopes that the device would gain.</summary>
    public ScopeSet? NewScopes { get; init; }

    /// <summary>The request, compared with the device's grants.</summary>
    internal static RequestView Of(PairingRequest request, DeviceRecord? device, ScopeImplications implications)
    {
        if (request.Status != PairingRequestStatus.Open)
            return Of(request);
        ScopeSet held = device?.ScopesOf(request.Key) ?? ScopeSet.Empty;
        string[] roles = [.. device?.Grants.Keys.Where(k => k.Audience == request.Audience).Select(k => k.Role) ?? []];
        return Of(request) with
        {
            HeldRoles = roles.Length > 0 ? roles : null,
            HeldScopes = device?.Grants.ContainsKey(request.Key) == true ? held : null,
            NewScopes = ScopeSet.Of(request.Scopes.Where(scope => !implications.Covers(request.Role, held, ScopeSet.Of(scope)))),
        };
    }

    internal static RequestView Of(PairingRequest request) => new(
        request.Id,
        request.DeviceId,
        request.Role,
        request.Scopes,
        request.Reason,
        request.GrantedScopes,
        request.Client,
        request.Address,
        request.Locality,
        request.Status,
        request.ResolvedBy,
        request.ResolvedAt,
        request.CreatedAt,
        request.ExpiresAt)
    {
        Audience = request.Audience.IsDefault ? null : request.Audience,
    };
}
