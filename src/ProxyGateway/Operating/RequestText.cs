using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.DeviceAuth.Pairing;
using Spectre.Console;

namespace ProxyGateway.Operating;

/// <summary>Pairing requests in words.</summary>
internal static class RequestText
{
    /// <summary>All details for a decision.</summary>
    /// <param name="r">The request.</param>
    /// <param name="others">Other requests of the device.</param>
    public static Table Of(RequestView r, params IEnumerable<RequestView> others)
    {
        Table table = Tables.New("", "");
        table.HideHeaders();
        table.AddTextRow("request", r.Id.ToString());
        table.AddTextRow("device", r.DeviceId.ToString());
        table.AddTextRow("fingerprint", r.DeviceId.Fingerprint);
        table.AddTextRow("in words", DeviceFingerprint.WordsOf(r.DeviceId.ToString()));
        table.AddTextRow("says it is", $"{Tables.Name(r.Client)}, {r.Client.Id ?? "-"}, {r.Client.Mode ?? "-"}");
        table.AddTextRow("from", From(r));
        table.AddTextRow("asks to be", $"{KeyOf(r)}: {Tables.Scopes(r.Scopes)}");
        table.AddTextRow("because", Why(r));
        foreach (RequestView other in others)
            table.AddTextRow("also asks to be", $"{KeyOf(other)}: {Tables.Scopes(other.Scopes)} (request {other.Id})");
        if (r.HeldRoles is { } roles)
            table.AddTextRow(r.Audience is { } audience ? $"holds in {audience}" : "holds", $"{string.Join(", ", roles)}{(r.HeldScopes is { } held ? $"; as {r.Role}: {Tables.Scopes(held)}" : "")}");
        if (r.NewScopes is { } fresh)
            table.AddTextRow("new would be", $"{(r.HeldScopes is null ? $"the role {r.Role}, with " : "")}{Tables.Scopes(fresh)}");
        table.AddTextRow("asked", Tables.Time(r.CreatedAt));
        if (r.Status == PairingRequestStatus.Open)
            table.AddTextRow("expires", Tables.In(r.ExpiresAt));
        else
            table.AddTextRow("is", Resolution(r));
        return table;
    }

    /// <summary>The role, with its audience unless that is <c>default</c>.</summary>
    public static GrantKey KeyOf(RequestView r) => new(r.Audience ?? Audience.Default, r.Role);

    /// <summary>The scopes; new ones have a plus.</summary>
    public static string Scopes(RequestView r) => r.NewScopes is not { } fresh || r.Scopes.Count == 0
        ? Tables.Scopes(r.Scopes)
        : string.Join(' ', r.Scopes.Select(scope => fresh.Contains(scope) ? "+" + scope : scope));

    public static string From(RequestView r) => r.Locality == LocalityKind.Loopback ? "loopback" : r.Address ?? "unknown";

    private static string Why(RequestView r) => r.Reason switch
    {
        PairingReason.NotPaired => r.Audience is { } audience ? $"nothing is approved for it in {audience} (not-paired)" : "the device is new (not-paired)",
        PairingReason.RoleUpgrade => "it does not hold this role (role-upgrade)",
        _ => "it does not hold all of these scopes (scope-upgrade)",
    };

    private static string Resolution(RequestView r) =>
        $"{r.Status.ToString().ToLowerInvariant()}{(r.ResolvedBy is null ? "" : " by " + r.ResolvedBy)}, {Tables.Time(r.ResolvedAt)}"
        + (r.GrantedScopes is { } granted ? $", with {Tables.Scopes(granted)}" : "");
}
