using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary><c>/admin/v1/invitations</c>: approvals in advance. The secret of one is shown once, when it is made.</summary>
internal static class InvitationEndpoints
{
    private const int MinValidSeconds = 60;
    private const int DefaultValidSeconds = 600;

    private static readonly int MaxValidSeconds = (int)InvitationTerms.MaxValidFor.TotalSeconds;
    private static readonly int MaxGrantSeconds = (int)InvitationTerms.MaxGrantFor.TotalSeconds;

    private static readonly string Wanted =
        "The body is {\"audience\":\"...\",\"role\":\"...\",\"scopes\":[\"...\"],\"grantSeconds\":0,\"uses\":1,\"validSeconds\":600}; all but the role is optional. "
        + $"uses is 1 to {Invitation.MaxUses}, validSeconds {MinValidSeconds} to {MaxValidSeconds}, grantSeconds 1 to {MaxGrantSeconds}.";

    public static void Map(RouteGroupBuilder admin)
    {
        RouteGroupBuilder invitations = admin.MapGroup("/invitations").WithTags("invitations").Takes(AdminParameter.InvitationId);
        invitations.MapGet("", ListAsync).RequireAuthorization(AdminPolicies.Read)
            .Describe("listInvitations", "Lists the invitations that have not expired, newest first")
            .Produces<PageView<InvitationView>>();
        invitations.MapPost("", MakeAsync).RequireAuthorization(AdminPolicies.Decide)
            .Describe("makeInvitation", "Makes an invitation, and shows its secret, once")
            .TakesBody<InvitationBody>()
            .Produces<InvitationView>().Fails(AdminProblems.AboveCeiling, AdminProblems.TooManyInvitations, AdminProblems.InvitationTooLarge);
        invitations.MapDelete("/{id}", WithdrawAsync).RequireAuthorization(AdminPolicies.Decide)
            .Describe("withdrawInvitation", "Withdraws an invitation; devices that used it stay")
            .Produces(StatusCodes.Status204NoContent).Fails(AdminProblems.InvitationNotFound);
    }

    private static async Task<IResult> ListAsync(HttpContext context, Invitations invitations) => TypedResults.Json(
        new PageView<InvitationView>([.. (await invitations.ListAsync(context.RequestAborted)).Select(i => InvitationView.Of(i))], Next: null),
        AdminJsonContext.Default.PageViewInvitationView);

    private static async Task<IResult> MakeAsync(
        HttpContext context, Invitations invitations, IDeviceAuthSettings settings, ILogger<AdminRequestGuard> logger)
    {
        (AdminProblem? wrong, InvitationBody? body) = await JsonBody.ReadAsync(context.Request, AdminInputContext.Default.InvitationBody, Wanted);
        if (wrong is not null)
            return wrong;
        if (!ScopeSet.IsValidName(body!.Role)
            || (body.Uses ?? 1) is < 1 or > Invitation.MaxUses
            || body.ValidSeconds is { } valid && (valid < MinValidSeconds || valid > MaxValidSeconds)
            || body.GrantSeconds is { } lasts && (lasts < 1 || lasts > MaxGrantSeconds))
        {
            return AdminProblems.InvalidRequest with { Detail = Wanted };
        }

        Operator by = context.Features.GetRequiredFeature<Operator>();
        var terms = new InvitationTerms(
            body.Audience ?? Audience.Default, body.Role, body.Scopes ?? ScopeSet.Empty, TimeSpan.FromSeconds(body.ValidSeconds ?? DefaultValidSeconds))
        {
            GrantFor = body.GrantSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            Uses = body.Uses ?? 1,
        };
        DeviceAuthOptions options = settings.Current;
        MadeInvitation made = await invitations.MakeAsync(terms, by, options.Policy.Implications, CancellationToken.None);
        if (made.Invitation is not { } invitation)
        {
            return made.Outcome switch
            {
                InvitationOutcome.AboveCeiling => AdminProblems.AboveCeiling,
                InvitationOutcome.TooMany => AdminProblems.TooManyInvitations,
                _ => AdminProblems.InvitationTooLarge,
            };
        }

        AdminLog.Invited(logger, by.Name, invitation.Id, Key(invitation), LogText.Of(invitation.Scopes), invitation.Uses, invitation.ExpiresAt);
        InvitationView view = InvitationView.Of(invitation) with { Secret = made.Secret, Origin = options.PublicOrigins is [var origin, ..] ? origin : null };
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Json(view, AdminJsonContext.Default.InvitationView);
    }

    private static async Task<IResult> WithdrawAsync(string id, HttpContext context, Invitations invitations, ILogger<AdminRequestGuard> logger)
    {
        Operator by = context.Features.GetRequiredFeature<Operator>();
        if (await invitations.WithdrawAsync(id, by, CancellationToken.None) is not { } withdrawn)
            return AdminProblems.InvitationNotFound;
        AdminLog.Withdrawn(logger, by.Name, withdrawn.Id, Key(withdrawn));
        return TypedResults.NoContent();
    }

    private static string Key(Invitation invitation) => new GrantKey(invitation.Audience, invitation.Role).ToString();
}
