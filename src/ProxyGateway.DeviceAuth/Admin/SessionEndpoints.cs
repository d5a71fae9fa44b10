using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary><c>/admin/v1/sessions</c>: the live sessions of this gateway, oldest first.</summary>
internal static class SessionEndpoints
{
    private static readonly AdminProblem NotADevice = AdminProblems.InvalidRequest with { Detail = "device is a device's id." };

    public static void Map(RouteGroupBuilder admin) => admin.MapGet("/sessions", List).RequireAuthorization(AdminPolicies.Read)
        .Describe("listSessions", "Lists the live sessions of this gateway, oldest first")
        .WithTags("sessions").Takes(AdminParameter.DeviceFilter).Pages<SessionView>().Fails(NotADevice);

    private static IResult List(HttpContext context, SessionTable sessions, IDeviceAuthSettings settings)
    {
        IQueryCollection query = context.Request.Query;
        if (!PageQuery.TryRead(query, out PageQuery page) || !TryReadCursor(page.Cursor, out long after))
            return AdminProblems.InvalidPage;
        DeviceId device = default;
        if (query.ContainsKey("device") && (query["device"].Count != 1 || !DeviceId.TryParse(query["device"], out device)))
            return NotADevice;

        Session[] found = sessions.List(query.ContainsKey("device") ? device : null, after, page.Limit + 1);
        Session[] shown = found[..Math.Min(found.Length, page.Limit)];
        PairingPolicy policy = settings.Current.Policy;
        return TypedResults.Json(
            new PageView<SessionView>([.. shown.Select(s => View(s, policy))], found.Length > page.Limit ? Id(shown[^1]) : null),
            AdminJsonContext.Default.PageViewSessionView);
    }

    private static SessionView View(Session session, PairingPolicy policy) => new(
        Id(session),
        session.Claim.Device,
        session.Claim.Role,
        session.Claim.Scopes,
        session.Claim.Client,
        session.Origin.Address,
        policy.Classify(session.Origin.Locality),
        session.StartedAt,
        session.EndsAt);

    private static string Id(Session session) => session.Number.ToString(CultureInfo.InvariantCulture);

    private static bool TryReadCursor(string? cursor, out long after)
    {
        after = 0;
        return cursor is null || long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out after);
    }
}
