using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// <c>/admin/v1/devices</c>: devices with approvals and blocked ones, and operators' changes of them. A change is not cancelled when the
/// operator hangs up: once written, it must reach the sessions of this process.
/// </summary>
internal static class DeviceEndpoints
{
    private const string Grant = "The body is {\"scopes\":[\"...\"],\"until\":\"<time>\"}, until being optional; a scope is 1 to 128 of A-Z a-z 0-9 . _ : -";
    private const string Label = "The body is {\"label\":\"...\"}.";
    private const string Block = "The body, if there is one, is {\"reason\":\"...\"}.";

    // A page ends early once it has this many bytes of grants; records are read a few at a time, so that it ends in time.
    private const int LongPageBytes = 512 * 1024;
    private const int ReadAtOnce = 50;
    private const int MostReads = 100;

    public static void Map(RouteGroupBuilder admin)
    {
        RouteGroupBuilder devices = admin.MapGroup("/devices").WithTags("devices").Takes(AdminParameter.DeviceId);
        devices.MapGet("", ListAsync).RequireAuthorization(AdminPolicies.Read)
            .Describe("listDevices", "Lists the devices with something approved, and blocked ones")
            .Takes(AdminParameter.AudienceFilter).Pages<DeviceView>().Fails(AdminProblems.InvalidAudience);
        devices.MapGet("/{id}", GetAsync).RequireAuthorization(AdminPolicies.Read)
            .Describe("getDevice", "Shows a device")
            .GivesVersioned<DeviceView>().Fails(AdminProblems.DeviceNotFound);
        devices.MapDelete("/{id}", RemoveAsync).RequireAuthorization(AdminPolicies.Decide)
            .Describe("removeDevice", "Removes a device: closes its sessions, and no rule pairs it again")
            .TakesIfMatch().Produces(StatusCodes.Status204NoContent).Fails(AdminProblems.DeviceNotFound);

        RouteGroupBuilder grants = devices.MapGroup("/{id}/grants").Takes(AdminParameter.Role);
        MapGrant(
            grants.MapPut("/{role}", (string id, string role, HttpContext context, ILogger<AdminRequestGuard> logger) => SetGrantAsync(id, null, role, context, logger)),
            grants.MapDelete("/{role}", (string id, string role, HttpContext context, ILogger<AdminRequestGuard> logger) => TakeGrantAsync(id, null, role, context, logger)),
            ofAudience: "");
        grants = grants.MapGroup("/{audience}").Takes(AdminParameter.Audience);
        MapGrant(grants.MapPut("/{role}", SetGrantAsync), grants.MapDelete("/{role}", TakeGrantAsync), ofAudience: "OfAudience");

        devices.MapPut("/{id}/label", SetLabelAsync).RequireAuthorization(AdminPolicies.Decide)
            .Describe("setLabel", "Gives a device a name")
            .TakesBody<LabelBody>()
            .TakesIfMatch().GivesVersioned<DeviceView>().Fails(AdminProblems.DeviceNotFound, AdminProblems.LabelEmpty);
        devices.MapDelete("/{id}/label", ClearLabelAsync).RequireAuthorization(AdminPolicies.Decide)
            .Describe("clearLabel", "Takes a device's name away")
            .TakesIfMatch().Produces(StatusCodes.Status204NoContent).Fails(AdminProblems.DeviceNotFound);
        devices.MapPut("/{id}/block", BlockAsync).RequireAuthorization(AdminPolicies.Decide)
            .Describe("blockDevice", "Keeps a device out, known or not, and closes its sessions")
            .TakesBody<BlockBody>(isOptional: true)
            .TakesIfMatch().GivesVersioned<DeviceView>().Fails(AdminProblems.DeviceNotFound);
        devices.MapDelete("/{id}/block", UnblockAsync).RequireAuthorization(AdminPolicies.Decide)
            .Describe("unblockDevice", "Lets a blocked device in again, as far as its grants go")
            .TakesIfMatch().Produces(StatusCodes.Status204NoContent).Fails(AdminProblems.AboveCeiling, AdminProblems.DeviceNotFound);
    }

    // Two paths, and no query: an older gateway would ignore a query, and change the audience default instead.
    private static void MapGrant(RouteHandlerBuilder put, RouteHandlerBuilder delete, string ofAudience)
    {
        string where = ofAudience.Length == 0 ? "" : " of an audience";
        put.RequireAuthorization(AdminPolicies.Decide)
            .Describe("setGrant" + ofAudience, $"Sets what a device may do in a role{where}; sessions that it no longer covers are closed")
            .TakesBody<GrantBody>()
            .TakesIfMatch().GivesVersioned<DeviceView>().Fails(AdminProblems.AboveCeiling, AdminProblems.DeviceNotFound, AdminProblems.UntilIsPast);
        delete.RequireAuthorization(AdminPolicies.Decide)
            .Describe("takeGrant" + ofAudience, $"Takes a role{where} away from a device, and closes the sessions that used it")
            .TakesIfMatch().Produces(StatusCodes.Status204NoContent).Fails(AdminProblems.DeviceNotFound, AdminProblems.GrantNotFound);
    }

    private static async Task<IResult> ListAsync(HttpContext context, DeviceRegistry registry)
    {
        if (!PageQuery.TryRead(context.Request.Query, out PageQuery query))
            return AdminProblems.InvalidPage;
        if (!AudienceQuery.TryRead(context.Request.Query, out Audience? audience))
            return AdminProblems.InvalidAudience;
        var items = new List<DeviceView>();
        string? cursor = query.Cursor;
        int bytes = 0;
        int reads = 0;
        do
        {
            PagedResult<DeviceRecord> page = await registry.ListDevicesAsync(cursor, Math.Min(query.Limit - items.Count, ReadAtOnce), context.RequestAborted);
            items.AddRange(page.Items.Where(record => audience is not { } one || record.IsPairedFor(one)).Select(DeviceView.Of).Concat(page.Newer.Select(DeviceView.Of)).OrderBy(device => device.Id.ToString(), StringComparer.Ordinal));
            bytes += page.Items.Sum(SizeOf);
            cursor = page.Next;
        }
        while (cursor is not null && items.Count < query.Limit && bytes < LongPageBytes && ++reads < MostReads);
        return TypedResults.Json(new PageView<DeviceView>(items, cursor), AdminJsonContext.Default.PageViewDeviceView);
    }

    // The roles and scopes of a device; names are ASCII without characters that JSON escapes.
    private static int SizeOf(DeviceRecord record) =>
        record.Grants.Sum(g => g.Key.ToString().Length + 3 + (g.Value.Scopes?.Sum(scope => scope.Length + 3) ?? 0));

    private static async Task<IResult> GetAsync(string id, HttpContext context, DeviceRegistry registry)
    {
        if (!DeviceId.TryParse(id, out DeviceId deviceId))
            return AdminProblems.DeviceNotFound;
        try
        {
            return await registry.FindAsync(deviceId, context.RequestAborted) is { IsListed: true } record ? Shown(context, record) : AdminProblems.DeviceNotFound;
        }
        catch (NewerDocumentException e)
        {
            return Shown(context, DeviceView.Of(e.Document));
        }
    }

    private static Task<IResult> RemoveAsync(string id, HttpContext context, ILogger<AdminRequestGuard> logger) =>
        TakeAwayAsync(id, new DeviceChange.Remove(), context, (by, device) => AdminLog.Removed(logger, by.Name, device));

    private static async Task<IResult> SetGrantAsync(string id, string? audience, string role, HttpContext context, ILogger<AdminRequestGuard> logger)
    {
        (AdminProblem? wrong, GrantBody? body) = await JsonBody.ReadAsync(context.Request, AdminInputContext.Default.GrantBody, Grant);
        if (wrong is not null || !ScopeSet.IsValidName(role))
            return wrong ?? AdminProblems.InvalidRole;
        if (!TryReadKey(audience, role, out GrantKey key))
            return AdminProblems.InvalidAudience;
        return await ChangeAsync(
            id,
            new DeviceChange.SetGrant(key, new GrantTerms(body!.Scopes, body.Until)),
            context,
            (by, device) => AdminLog.GrantSet(logger, by.Name, key.ToString(), device, LogText.Of(body.Scopes), body.Until),
            record => Shown(context, record));
    }

    private static async Task<IResult> TakeGrantAsync(string id, string? audience, string role, HttpContext context, ILogger<AdminRequestGuard> logger) =>
        TryReadKey(audience, role, out GrantKey key)
            ? await TakeAwayAsync(
                id,
                new DeviceChange.TakeGrant(key),
                context,
                (by, device) => AdminLog.GrantTaken(logger, by.Name, key.ToString(), device),
                AdminProblems.GrantNotFound)
            : AdminProblems.InvalidAudience;

    private static bool TryReadKey(string? audience, string role, out GrantKey key)
    {
        Audience named = Audience.Default;
        bool valid = audience is null || Audience.TryParse(audience, out named);
        key = new GrantKey(named, role);
        return valid;
    }

    private static async Task<IResult> SetLabelAsync(string id, HttpContext context, ILogger<AdminRequestGuard> logger)
    {
        (AdminProblem? wrong, LabelBody? body) = await JsonBody.ReadAsync(context.Request, AdminInputContext.Default.LabelBody, Label);
        if (wrong is not null)
            return wrong;
        if (SafeText.Of(body!.Label) is not { } label)
            return AdminProblems.LabelEmpty;
        return await ChangeAsync(
            id,
            new DeviceChange.SetLabel(label),
            context,
            (by, device) => AdminLog.Labelled(logger, by.Name, device, label),
            record => Shown(context, record));
    }

    private static Task<IResult> ClearLabelAsync(string id, HttpContext context, ILogger<AdminRequestGuard> logger) =>
        TakeAwayAsync(id, new DeviceChange.SetLabel(Label: null), context, (by, device) => AdminLog.Labelled(logger, by.Name, device, label: null));

    private static async Task<IResult> BlockAsync(string id, HttpContext context, ILogger<AdminRequestGuard> logger)
    {
        (AdminProblem? wrong, BlockBody? body) = await JsonBody.ReadOptionalAsync(context.Request, AdminInputContext.Default.BlockBody, Block);
        if (wrong is not null)
            return wrong;
        return await ChangeAsync(
            id,
            new DeviceChange.Block(SafeText.Of(body?.Reason)),
            context,
            (by, device) => AdminLog.Blocked(logger, by.Name, device),
            record => Shown(context, record));
    }

    private static Task<IResult> UnblockAsync(string id, HttpContext context, ILogger<AdminRequestGuard> logger) =>
        TakeAwayAsync(id, new DeviceChange.Unblock(), context, (by, device) => AdminLog.Unblocked(logger, by.Name, device));

    private static Task<IResult> TakeAwayAsync(
        string id, DeviceChange change, HttpContext context, Action<Operator, DeviceId> log, AdminProblem? notFound = null) =>
        ChangeAsync(id, change, context, log, _ => TypedResults.NoContent(), notFound);

    /// <summary>Makes a change under <c>If-Match</c>, and answers with the result.</summary>
    private static async Task<IResult> ChangeAsync(
        string id,
        DeviceChange change,
        HttpContext context,
        Action<Operator, DeviceId> log,
        Func<DeviceRecord, IResult> done,
        AdminProblem? notFound = null)
    {
        if (!EntityTags.TryReadIfMatch(context.Request, out IfMatch ifMatch))
            return AdminProblems.InvalidIfMatch;
        if (!DeviceId.TryParse(id, out DeviceId device))
            return AdminProblems.DeviceNotFound;
        DeviceRegistry registry = context.RequestServices.GetRequiredService<DeviceRegistry>();
        PairingRules rules = context.RequestServices.GetRequiredService<IDeviceAuthSettings>().Current.PairingRules;
        Operator by = context.Features.GetRequiredFeature<Operator>();
        Decision? decision = await registry.ChangeAsync(device, change with { Precondition = ifMatch.Holds }, by, rules, CancellationToken.None);
        if (decision?.Outcome == DecisionOutcome.Done)
            log(by, device);
        return decision switch
        {
            null => AdminProblems.DeviceNotFound,
            { Outcome: DecisionOutcome.Done or DecisionOutcome.AlreadyDone } => done(decision.Record),
            { Outcome: DecisionOutcome.NotFound } => decision.Record.IsListed ? notFound ?? AdminProblems.DeviceNotFound : AdminProblems.DeviceNotFound,
            { Outcome: DecisionOutcome.AboveCeiling } => AdminProblems.AboveCeiling,
            { Outcome: DecisionOutcome.UntilIsPast } => AdminProblems.UntilIsPast,
            { Outcome: DecisionOutcome.OtherVersion } => AdminProblems.PreconditionFailed,
            _ => throw new InvalidOperationException($"No change of a device is {decision.Outcome}."),
        };
    }

    private static JsonHttpResult<DeviceView> Shown(HttpContext context, DeviceRecord record) => Shown(context, DeviceView.Of(record));

    private static JsonHttpResult<DeviceView> Shown(HttpContext context, DeviceView device)
    {
        EntityTags.Write(context.Response, device.Version);
        return TypedResults.Json(device, AdminJsonContext.Default.DeviceView);
    }
}
