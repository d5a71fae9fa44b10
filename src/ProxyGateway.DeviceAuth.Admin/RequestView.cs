using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A pairing request for operators.</summary>
/// <param name="Id">The request's id.</param>
/// <param name="DeviceId">The device that asks.</param>
/// <param name="Role">The role it asks for.</param>
/// <param name="Scopes">The scopes it asks for.</param>
/// <param name="Reason">Why it has to ask.</param>
/// <param name="GrantedScopes">The scopes that were granted, once it is approved; absent before.</param>
/// <param name="Client">What the device says about itself: never verified.</param>
/// <param name="Address">The client's address; absent if it cannot be told.</param>
/// <param name="Locality">Where the request came from, by the policy that was in force.</param>
/// <param name="Status">What has become of it.</param>
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
    /// <summary>While it is open: the roles that the device has; absent if it has none.</summary>
    public IReadOnlyList<string>? HeldRoles { get; init; }

    /// <summary>While it is open: the scopes that the device has in the requested role; absent if it does not have the role.</summary>
    public ScopeSet? HeldScopes { get; init; }

    /// <summary>While it is open: the scopes that the device would gain.</summary>
    public ScopeSet? NewScopes { get; init; }

    /// <summary>The request, compared with the device's grants.</summary>
    internal static RequestView Of(PairingRequest request, DeviceRecord? device, ScopeImplications implications)
    {
        if (request.Status != PairingRequestStatus.Open)
            return Of(request);
        ScopeSet held = device?.ScopesOf(request.Role) ?? ScopeSet.Empty;
        return Of(request) with
        {
            HeldRoles = device is { Grants.IsEmpty: false } ? [.. device.Grants.Keys] : null,
            HeldScopes = device?.Grants.ContainsKey(request.Role) == true ? held : null,
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
        request.ExpiresAt);
}
