using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>
/// The audit entries of a change of a device's record: pure. Changes of requests, and what an operator grants together with one, are
/// derived from the two records, so no transition can forget one.
/// </summary>
internal static class AuditTrail
{
    /// <summary>The entries of one change.</summary>
    /// <param name="previous">The record before; null if there was none.</param>
    /// <param name="next">The record after.</param>
    /// <param name="now">The store's time of the change.</param>
    /// <param name="by">The operator; null if none made the change.</param>
    /// <param name="operation">The change, if it is more than its effect on requests.</param>
    public static IEnumerable<AuditEntry> Of(
        DeviceRecord? previous, DeviceRecord next, DateTimeOffset now, Operator? by, AuditEntry? operation)
    {
        ArgumentNullException.ThrowIfNull(next);
        if (previous is not null && previous.Version != next.Version)
        {
            foreach ((GrantKey key, Grant grant) in previous.Grants.RemoveRange(previous.AsOf(now).Grants.Keys))
                yield return new AuditEntry { Kind = AuditKinds.GrantExpired, DeviceId = next.Id, Audience = key.Audience, Role = key.Role, Scopes = grant.Scopes, Until = grant.Until };
        }

        if (operation is { Kind: AuditKinds.DeviceForgotten } && previous is not null && next.IsPaired)
        {
            foreach ((GrantKey key, Grant grant) in previous.AsOf(now).Grants.RemoveRange(next.Grants.Keys)) // not the device, but what it held in an audience
                yield return new AuditEntry { Kind = AuditKinds.GrantExpired, DeviceId = next.Id, Audience = key.Audience, Role = key.Role, Scopes = grant.Scopes, Reason = "idle" };
        }
        else if (operation is not null)
        {
            yield return By(operation, by);
        }

        foreach (PairingRequest request in next.Requests)
        {
            PairingRequest? earlier = previous?.FindRequest(request.Id);
            if (earlier is null)
                yield return Opened(request);
            else if (earlier.Status == PairingRequestStatus.Open && request.Status != PairingRequestStatus.Open)
                yield return Resolved(request, request.ResolvedBy is null ? null : by) with { Until = UntilOf(request, next) };
        }

        foreach (PairingRequest request in previous?.Requests ?? [])
        {
            if (request.Status == PairingRequestStatus.Open && next.FindRequest(request.Id) is null)
                yield return Resolved(request with { Status = PairingRequestStatus.Expired }, by: null);
        }

        if (previous is not null && operation is null && by is not null)
        {
            foreach ((GrantKey key, Grant grant) in next.Grants.Where(g => IsGrantedBesides(g.Key, g.Value, previous, next)))
                yield return By(new AuditEntry { Kind = AuditKinds.GrantChanged, DeviceId = next.Id, Audience = key.Audience, Role = key.Role, Scopes = grant.Scopes, Until = grant.Until }, by);
        }
    }

    /// <summary>An operator tried to grant or unblock above their ceiling.</summary>
    public static AuditEntry Refused(Operator by, DeviceId device, RequestId? request, Audience audience, string? role, ScopeSet? scopes) => By(
        new AuditEntry
        {
            Kind = AuditKinds.OperatorRefused,
            DeviceId = device,
            RequestId = request,
            Audience = audience,
            Role = role,
            Scopes = scopes,
            Reason = "above-ceiling",
        },
        by);

    /// <summary>A rule has approved a device.</summary>
    internal static AuditEntry AutoApproved(DeviceClaim claim, PairingDecision.AutoApprove approval, string? address, LocalityKind locality) => new()
    {
        Kind = AuditKinds.DeviceAutoApproved,
        DeviceId = claim.Device,
        Audience = claim.Audience,
        Role = claim.Role,
        Scopes = claim.Scopes,
        Reason = approval.Reason.ToWireName(),
        Rule = approval.Rule,
        Address = address,
        Locality = locality,
        Client = claim.Client,
    };

    /// <summary>Whether the change has granted more in the role than the request that it approved there says.</summary>
    private static bool IsGrantedBesides(GrantKey key, Grant grant, DeviceRecord previous, DeviceRecord next)
    {
        Grant? before = previous.Grants.GetValueOrDefault(key);
        PairingRequest? approved = next.Requests.FirstOrDefault(r =>
            r.Key == key && r.Status == PairingRequestStatus.Approved && previous.FindRequest(r.Id)?.Status == PairingRequestStatus.Open);
        return approved is null
            ? !grant.Equals(before)
            : (grant.Scopes ?? ScopeSet.Empty).Without(before?.Scopes ?? ScopeSet.Empty).Without(approved.GrantedScopes ?? ScopeSet.Empty).Count > 0;
    }

    private static DateTimeOffset? UntilOf(PairingRequest request, DeviceRecord record) =>
        request.Status == PairingRequestStatus.Approved ? record.Grants.GetValueOrDefault(request.Key)?.Until : null;

    private static AuditEntry Opened(PairingRequest request) => Of(AuditKinds.RequestOpened, request) with
    {
        Reason = request.Reason.ToWireName(),
        Address = request.Address,
        Locality = request.Locality,
        Client = request.Client,
    };

    private static AuditEntry Resolved(PairingRequest request, Operator? by) => By(
        Of(
            request.Status switch
            {
                PairingRequestStatus.Approved => AuditKinds.RequestApproved,
                PairingRequestStatus.Rejected => AuditKinds.RequestRejected,
                PairingRequestStatus.Covered => AuditKinds.RequestCovered,
                _ => AuditKinds.RequestExpired,
            },
            request),
        by);

    private static AuditEntry Of(string kind, PairingRequest request) => new()
    {
        Kind = kind,
        DeviceId = request.DeviceId,
        RequestId = request.Id,
        Audience = request.Audience,
        Role = request.Role,
        Scopes = request.GrantedScopes ?? request.Scopes,
    };

    private static AuditEntry By(AuditEntry entry, Operator? by) =>
        by is null ? entry : entry with { Operator = by.Name, Address = by.Address };
}
