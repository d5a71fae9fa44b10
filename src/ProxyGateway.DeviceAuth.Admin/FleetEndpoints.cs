using System.Buffers.Text;
using System.Collections.Immutable;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Operators' changes of many devices: importing them, and taking back a rule's approvals.</summary>
internal static class FleetEndpoints
{
    private const int MaxDevices = 500;
    private const int MaxGrants = 32;
    private const int MaxImportBytes = 4 * 1024 * 1024;
    private const string Import = "The body is {\"dryRun\":false,\"devices\":[{\"publicKey\":\"...\",\"grants\":{\"<role> or <audience>/<role>\":{\"scopes\":[\"...\"]}}}]}, with at most 500 devices.";
    private const int MaxLimit = 10_000;
    private const string Rule = "The body is {\"rule\":\"<name>\",\"dryRun\":false,\"limit\":500,\"cursor\":\"<next>\"}; all but the rule is optional, and limit is 1 to 10000.";

    public static void Map(RouteGroupBuilder admin)
    {
        RouteGroupBuilder devices = admin.MapGroup("/devices").WithTags("devices");
        devices.MapPost("/import", ImportAsync).RequireAuthorization(AdminPolicies.Decide)
            .Describe("importDevices", "Imports devices of another gateway, and says what became of each")
            .TakesBody<ImportBody>()
            .Produces<ImportView>();
        devices.MapPost("/remove-by-rule", RemoveByRuleAsync).RequireAuthorization(AdminPolicies.Decide)
            .Describe("removeByRule", "Takes back what a rule has approved: devices that hold nothing else, and its grants of others")
            .TakesBody<RemoveByRuleBody>()
            .Produces<RemovedByRuleView>();
    }

    private static async Task<IResult> ImportAsync(
        HttpContext context, DeviceFleet fleet, IDeviceAuthSettings settings, ILogger<AdminRequestGuard> logger)
    {
        (AdminProblem? wrong, ImportBody? body) =
            await JsonBody.ReadAsync(context.Request, AdminInputContext.Default.ImportBody, Import, MaxImportBytes);
        if (wrong is not null)
            return wrong;
        if (body!.Devices.Count > MaxDevices || body.Devices.Any(d => d is null))
            return AdminProblems.InvalidRequest with { Detail = Import };

        Operator by = context.Features.GetRequiredFeature<Operator>();
        var items = new List<ImportItemView>(body.Devices.Count);
        foreach (ImportDeviceBody given in body.Devices)
        {
            if (!TryRead(given, out ImportedDevice? device, out string? problem))
            {
                items.Add(new ImportItemView(device?.Id, "invalid", problem));
                continue;
            }

            ImportOutcome outcome = await fleet.ImportAsync(device!, body.DryRun, by, settings.Current.PairingRules, CancellationToken.None);
            items.Add(View(device!.Id, outcome));
        }

        if (!body.DryRun)
            AdminLog.Imported(logger, by.Name, items.Count(i => i.Outcome == "added"), items.Count(i => i.Outcome == "extended"), items.Count);
        return TypedResults.Json(new ImportView(body.DryRun, items), AdminJsonContext.Default.ImportView);
    }

    private static async Task<IResult> RemoveByRuleAsync(
        HttpContext context, DeviceFleet fleet, IDeviceAuthSettings settings, ILogger<AdminRequestGuard> logger)
    {
        (AdminProblem? wrong, RemoveByRuleBody? body) = await JsonBody.ReadAsync(context.Request, AdminInputContext.Default.RemoveByRuleBody, Rule);
        if (wrong is not null)
            return wrong;
        if (body!.Limit is < 1 or > MaxLimit || body.Cursor is { Length: 0 or > PageQuery.MaxCursorLength })
            return AdminProblems.InvalidRequest with { Detail = Rule };
        Operator by = context.Features.GetRequiredFeature<Operator>();
        RemovedByRule removed = await fleet.RemoveByRuleAsync(
            body.Rule, body.DryRun, by, settings.Current.PairingRules, context.RequestAborted, body.Cursor, body.Limit);
        if (!body.DryRun && removed is not { Removed: 0, Narrowed: 0, Next: not null })
            AdminLog.RemovedByRule(logger, by.Name, SafeText.Of(body.Rule), removed.Removed, removed.Narrowed);
        return TypedResults.Json(
            new RemovedByRuleView(body.DryRun, removed.Removed, removed.Narrowed, removed.Next, removed.NewerFormat is > 0 and var newer ? newer : null), AdminJsonContext.Default.RemovedByRuleView);
    }

    private static bool TryRead(ImportDeviceBody given, out ImportedDevice? device, out string? problem)
    {
        device = null;
        if (!DeviceKey.TryRead(given.PublicKey, out byte[] key))
        {
            problem = "publicKey is not an Ed25519 or P-256 key";
            return false;
        }

        ClientDescription client = given.Client ?? new ClientDescription();
        device = new ImportedDevice(DeviceId.Of(key), Base64Url.EncodeToString(key), ReadGrants(given))
        {
            Legacy = given.Legacy,
            Parts = ReadParts(given),
            Label = SafeText.Of(given.Label),
            Client = ClientDescription.Sanitize(client.Id, client.DisplayName, client.Platform, client.Mode),
        };
        problem = given switch
        {
            { Id: { } id } when id != device.Id.ToString() => "id is not that of publicKey",
            _ when given.Grants.Count > MaxGrants || given.Grants.Values.Any(g => g is null) => "grants are not roles with scopes",
            _ when given.Grants.Keys.Any(key => !GrantKey.TryParse(key, out _)) => $"a role is 1 to 128 of A-Z a-z 0-9 . _ : -, with its audience and / before it for any but default; an audience is {Audience.Names}",
            _ when given.Grants.Values.Any(g => g.Parts is { } parts && !AreOf(g, parts)) => "parts are not rules with scopes of the grant",
            { Legacy: true, Grants.Count: > 0 } when device.Grants.Keys.Any(key => key.Audience.IsDefault) => "a device with grants is not legacy",
            { Legacy: false, Grants.Count: 0 } => "nothing is granted",
            _ => null,
        };
        return problem is null;
    }

    private static ImmutableSortedDictionary<GrantKey, GrantTerms> ReadGrants(ImportDeviceBody given) => given.Grants
        .Where(g => g.Value is not null && GrantKey.TryParse(g.Key, out _))
        .ToImmutableSortedDictionary(g => KeyOf(g.Key), g => new GrantTerms(g.Value.Scopes, g.Value.Until));

    private static GrantKey KeyOf(string text) => GrantKey.TryParse(text, out GrantKey key) ? key : throw new FormatException("No role of an audience.");

    private static bool AreOf(ImportGrantBody grant, ImportPartsBody parts) => (parts.Role is null || ScopeSet.IsValidName(parts.Role))
        && parts.Rules.All(r => ScopeSet.IsValidName(r.Key) && r.Value is not null && r.Value.Without(grant.Scopes ?? ScopeSet.Empty).Count == 0)
        && parts.Rules.Values.Sum(scopes => scopes.Count) == parts.Rules.Values.SelectMany(scopes => scopes).Distinct(StringComparer.Ordinal).Count();

    private static ImmutableSortedDictionary<GrantKey, GrantParts> ReadParts(ImportDeviceBody given) => given.Grants
        .Where(g => GrantKey.TryParse(g.Key, out _) && g.Value is { Parts: { } parts } && AreOf(g.Value, parts))
        .ToImmutableSortedDictionary(
            g => KeyOf(g.Key),
            g => new GrantParts { Rules = g.Value.Parts!.Rules.ToImmutableSortedDictionary(StringComparer.Ordinal), Role = g.Value.Parts.Role });

    private static ImportItemView View(DeviceId id, ImportOutcome outcome) => outcome switch
    {
        ImportOutcome.Added => new ImportItemView(id, "added"),
        ImportOutcome.Extended => new ImportItemView(id, "extended"),
        ImportOutcome.Unchanged => new ImportItemView(id, "unchanged"),
        ImportOutcome.AboveCeiling => new ImportItemView(id, "above-ceiling", "this key may not grant as much as that"),
        ImportOutcome.RefusedBefore => new ImportItemView(id, "refused-before", "an operator has removed it, or said no to one of its roles"),
        ImportOutcome.Blocked => new ImportItemView(id, "blocked", "an operator has blocked it"),
        ImportOutcome.UntilIsPast => new ImportItemView(id, "invalid", "until is past"),
        ImportOutcome.NewerFormat => new ImportItemView(id, "newer-format", "a newer gateway wrote what is on record of it; upgrade this gateway"),
        _ => throw new ArgumentOutOfRangeException(nameof(outcome), outcome, message: null),
    };
}
