using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary><c>/admin/v1/sessions</c>: the live sessions of this gateway, oldest first, and the end of one.</summary>
internal static class SessionEndpoints
{
    private const string Reason = "ended by an operator";

    private static readonly AdminProblem NotADevice = AdminProblems.InvalidRequest with { Detail = "device is a device's id." };

    public static void Map(RouteGroupBuilder admin)
    {
        RouteGroupBuilder sessions = admin.MapGroup("/sessions").WithTags("sessions").Takes(AdminParameter.SessionId);
        sessions.MapGet("", List).RequireAuthorization(AdminPolicies.Read)
            .Describe("listSessions", "Lists the live sessions of this gateway, oldest first")
            .Takes(AdminParameter.DeviceFilter, AdminParameter.AudienceFilter).Pages<SessionView>().Fails(NotADevice, AdminProblems.InvalidAudience);
        sessions.MapDelete("/{id}", End).RequireAuthorization(AdminPolicies.Decide)
            .Describe("endSession", "Ends a session of this gateway; its client may come again at once")
            .Produces(StatusCodes.Status204NoContent).Fails(AdminProblems.SessionNotFound);
    }

    private static IResult List(HttpContext context, IDeviceConnections connections)
    {
        IQueryCollection query = context.Request.Query;
        if (!PageQuery.TryRead(query, out PageQuery page) || !TryReadCursor(page.Cursor, out long after))
            return AdminProblems.InvalidPage;
        DeviceId device = default;
        if (query.ContainsKey("device") && (query["device"].Count != 1 || !DeviceId.TryParse(query["device"], out device)))
            return NotADevice;
        if (!AudienceQuery.TryRead(query, out Audience? audience))
            return AdminProblems.InvalidAudience;

        DeviceId? ofDevice = query.ContainsKey("device") ? device : null;
        IReadOnlyList<DeviceConnection> found = audience is { } one
            ? [.. connections.List(ofDevice, after).Where(connection => connection.Audience == one).Take(page.Limit + 1)]
            : connections.List(ofDevice, after, page.Limit + 1);
        DeviceConnection[] shown = [.. found.Take(page.Limit)];
        return TypedResults.Json(
            new PageView<SessionView>([.. shown.Select(View)], found.Count > page.Limit ? Id(shown[^1]) : null),
            AdminJsonContext.Default.PageViewSessionView);
    }

    private static IResult End(string id, HttpContext context, IDeviceConnections connections, AuditLog audit, ILogger<AdminRequestGuard> logger)
    {
        if (!TryReadId(id, out long number)
            || connections.List(after: number - 1, limit: 1) is not [{ } connection] || connection.Id != number
            || !connections.End(number, Reason))
        {
            return AdminProblems.SessionNotFound;
        }

        Operator by = context.Features.GetRequiredFeature<Operator>();
        AdminLog.SessionEnded(logger, by.Name, number, connection.Device, connection.User);
        audit.Enter(new AuditEntry
        {
            Kind = AuditKinds.SessionEnded,
            Operator = by.Name,
            Address = by.Address,
            DeviceId = connection.Device,
            User = connection.User,
            Audience = connection.Audience,
            Role = connection.Role,
        });
        return TypedResults.NoContent();
    }

    private static SessionView View(DeviceConnection connection) => new(
        Id(connection),
        connection.Device,
        connection.User,
        connection.Role,
        connection.Scopes,
        connection.Client,
        connection.Address,
        connection.Locality,
        connection.StartedAt,
        connection.EndsAt)
    {
        Audience = connection.Audience.IsDefault ? null : connection.Audience,
    };

    private static string Id(DeviceConnection connection) => connection.Id.ToString(CultureInfo.InvariantCulture);

    private static bool TryReadCursor(string? cursor, out long after)
    {
        after = 0;
        return cursor is null || long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out after);
    }

    private static bool TryReadId(string text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0;
}
