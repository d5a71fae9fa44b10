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

/// <summary>
/// <c>/admin/v1/requests</c>: requests that wait for an operator, and the decisions. A decision is not cancelled when the operator hangs
/// up: once written, it must reach its listeners in this process.
/// </summary>
internal static class RequestEndpoints
{
    private const string Approval =
        "The body, if there is one, is {\"scopes\":[\"...\"],\"until\":\"<time>\",\"also\":{\"<role>\":[\"...\"]}}, each optional, also with at most 8 roles of the same audience; a role or scope is 1 to 128 of A-Z a-z 0-9 . _ : -";

    // A device has few roles; each is a grant in its document and an entry in the audit.
    private const int MaxAlso = 8;

    // Of pages that a filter shortens: the rest comes with the next cursor.
    private const int MostReads = 20;

    public static void Map(RouteGroupBuilder admin)
    {
        RouteGroupBuilder requests = admin.MapGroup("/requests").WithTags("requests").Takes(AdminParameter.RequestId);
        requests.MapGet("", ListAsync).RequireAuthorization(AdminPolicies.Read)
            .Describe("listRequests", "Lists the open pairing requests, newest first")
            .Takes(AdminParameter.AudienceFilter).Pages<RequestView>().Fails(AdminProblems.InvalidAudience);
        requests.MapGet("/{id}", GetAsync).RequireAuthorization(AdminPolicies.Read)
            .Describe("getRequest", "Shows a pairing request")
            .Produces<RequestView>().Fails(AdminProblems.RequestNotFound);
        requests.MapPost("/{id}/approve", ApproveAsync).RequireAuthorization(AdminPolicies.Decide)
            .Describe("approveRequest", "Approves a pairing request, or a part of it, grants other roles at the same time, and shows the device")
            .TakesBody<ApprovalBody>(isOptional: true)
            .Produces<DeviceView>()
            .Fails(AdminProblems.AboveCeiling, AdminProblems.RequestNotFound, AdminProblems.AlreadyResolved, AdminProblems.WiderThanAsked,
                AdminProblems.UntilIsPast, AdminProblems.HeldWithoutEnd);
        requests.MapPost("/{id}/reject", RejectAsync).RequireAuthorization(AdminPolicies.Decide)
            .Describe("rejectRequest", "Rejects a pairing request")
            .Produces<RequestView>().Fails(AdminProblems.RequestNotFound, AdminProblems.AlreadyResolved);
    }

    private static async Task<IResult> ListAsync(HttpContext context, DeviceRegistry registry, IDeviceAuthSettings settings)
    {
        if (!PageQuery.TryRead(context.Request.Query, out PageQuery query))
            return AdminProblems.InvalidPage;
        if (!AudienceQuery.TryRead(context.Request.Query, out Audience? audience))
            return AdminProblems.InvalidAudience;
        var found = new List<PairingRequest>();
        string? cursor = query.Cursor;
        int reads = 0;
        do
        {
            PagedResult<PairingRequest> page = await registry.ListOpenRequestsAsync(cursor, query.Limit - found.Count, context.RequestAborted);
            found.AddRange(page.Items.Where(request => audience is not { } one || request.Audience == one));
            cursor = page.Next;
        }
        while (audience is not null && cursor is not null && found.Count < query.Limit && ++reads < MostReads);
        RequestView[] views = await Task.WhenAll(found.Select(request => ViewAsync(request, context, registry, settings)));
        return TypedResults.Json(new PageView<RequestView>(views, cursor), AdminJsonContext.Default.PageViewRequestView);
    }

    private static async Task<IResult> GetAsync(string id, HttpContext context, DeviceRegistry registry, IDeviceAuthSettings settings)
    {
        if (!RequestId.TryParse(id, out RequestId requestId)
            || await registry.FindRequestAsync(requestId, context.RequestAborted) is not { } request)
            return AdminProblems.RequestNotFound;
        return TypedResults.Json(await ViewAsync(request, context, registry, settings), AdminJsonContext.Default.RequestView);
    }

    private static async Task<RequestView> ViewAsync(
        PairingRequest request, HttpContext context, DeviceRegistry registry, IDeviceAuthSettings settings)
    {
        if (request.Status != PairingRequestStatus.Open)
            return RequestView.Of(request);
        DeviceRecord? device = await registry.FindAsync(request.DeviceId, context.RequestAborted);
        return RequestView.Of(request, device, settings.Current.Policy.Implications);
    }

    private static async Task<IResult> ApproveAsync(
        string id, HttpContext context, DeviceRegistry registry, IDeviceAuthSettings settings, ILogger<AdminRequestGuard> logger)
    {
        (AdminProblem? wrong, ApprovalBody? body) = await JsonBody.ReadOptionalAsync(context.Request, AdminInputContext.Default.ApprovalBody, Approval);
        if (wrong is not null)
            return wrong;
        IReadOnlyDictionary<string, ScopeSet> also = body?.Also ?? ImmutableDictionary<string, ScopeSet>.Empty;
        if (also.Count > MaxAlso || also.Any(a => !ScopeSet.IsValidName(a.Key) || a.Value is null))
            return AdminProblems.InvalidRequest with { Detail = "At $.also: " + Approval };
        if (!RequestId.TryParse(id, out RequestId requestId))
            return AdminProblems.RequestNotFound;

        Operator by = context.Features.GetRequiredFeature<Operator>();
        var terms = new GrantTerms(body?.Scopes, body?.Until) { Also = also.ToImmutableSortedDictionary(StringComparer.Ordinal) };
        Decision? decision = await registry.ApproveAsync(requestId, terms, by, settings.Current.PairingRules, CancellationToken.None);
        if (decision is { Outcome: DecisionOutcome.Done, Request: { } approved })
        {
            AdminLog.Approved(logger, by.Name, approved.Id, approved.DeviceId, approved.Key.ToString(), LogText.Of(approved.GrantedScopes ?? ScopeSet.Empty));
            foreach (GrantKey key in terms.Also.Keys.Select(role => new GrantKey(approved.Audience, role)))
                AdminLog.GrantSet(logger, by.Name, key.ToString(), approved.DeviceId, LogText.Of(decision.Record.ScopesOf(key)), decision.Record.Grants[key].Until);
        }

        return Problem(decision, terms.Also.Keys) ?? (IResult)TypedResults.Json(DeviceView.Of(decision!.Record), AdminJsonContext.Default.DeviceView);
    }

    private static async Task<IResult> RejectAsync(
        string id, HttpContext context, DeviceRegistry registry, IDeviceAuthSettings settings, ILogger<AdminRequestGuard> logger)
    {
        if (!RequestId.TryParse(id, out RequestId requestId))
            return AdminProblems.RequestNotFound;

        Operator by = context.Features.GetRequiredFeature<Operator>();
        Decision? decision = await registry.RejectAsync(requestId, by, settings.Current.PairingRules, CancellationToken.None);
        if (decision is { Outcome: DecisionOutcome.Done, Request: { } rejected })
            AdminLog.Rejected(logger, by.Name, rejected.Id, rejected.DeviceId, rejected.Key.ToString(), LogText.Of(rejected.Scopes));
        return Problem(decision) ?? (IResult)TypedResults.Json(RequestView.Of(decision!.Request!), AdminJsonContext.Default.RequestView);
    }

    private static AdminProblem? Problem(Decision? decision, params IEnumerable<string> also) => decision?.Outcome switch
    {
        null or DecisionOutcome.NotFound => AdminProblems.RequestNotFound,
        DecisionOutcome.AboveCeiling => AdminProblems.AboveCeiling,
        DecisionOutcome.WiderThanAsked => AdminProblems.WiderThanAsked with { Detail = $"Asked for: {decision.Request?.Scopes}" },
        DecisionOutcome.UntilIsPast => AdminProblems.UntilIsPast,
        DecisionOutcome.HeldWithoutEnd => AdminProblems.HeldWithoutEnd with { Detail = HeldWithoutEnd(decision, also) },
        DecisionOutcome.AlreadyResolved => AdminProblems.AlreadyResolved with { Detail = Resolution(decision.Request!) },
        _ => null,
    };

    private static string HeldWithoutEnd(Decision decision, IEnumerable<string> also)
    {
        PairingRequest request = decision.Request!;
        IEnumerable<GrantKey> wanted = also.Prepend(request.Role).Distinct().Select(role => new GrantKey(request.Audience, role));
        return $"Held without end: {string.Join(", ", wanted.Where(key => decision.Record.Grants.GetValueOrDefault(key) is { Until: null }))}";
    }

    private static string Resolution(PairingRequest request) =>
        $"It is {request.Status.ToString().ToLowerInvariant()}" + (request.ResolvedBy is { } by ? $", by {by}." : ".");
}
