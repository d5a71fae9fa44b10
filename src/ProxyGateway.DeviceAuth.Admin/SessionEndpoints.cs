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

    private static IResult List(HttpContext context, IDeviceConnections connections)
    {
        IQueryCollection query = context.Request.Query;
        if (!PageQuery.TryRead(query, out PageQuery page) || !TryReadCursor(page.Cursor, out long after))
            return AdminProblems.InvalidPage;
        DeviceId device = default;
        if (query.ContainsKey("device") && (query["device"].Count != 1 || !DeviceId.TryParse(query["device"], out device)))
            return NotADevice;

        IReadOnlyList<DeviceConnection> found = connections.List(query.ContainsKey("device") ? device : null, after, page.Limit + 1);
        DeviceConnection[] shown = [.. found.Take(page.Limit)];
        return TypedResults.Json(
            new PageView<SessionView>([.. shown.Select(View)], found.Count > page.Limit ? Id(shown[^1]) : null),
            AdminJsonContext.Default.PageViewSessionView);
    }

    private static SessionView View(DeviceConnection connection) => new(
        Id(connection),
        connection.Device,
        connection.Role,
        connection.Scopes,
        connection.Client,
        connection.Address,
        connection.Locality,
        connection.StartedAt,
        connection.EndsAt);

    private static string Id(DeviceConnection connection) => connection.Id.ToString(CultureInfo.InvariantCulture);

    private static bool TryReadCursor(string? cursor, out long after)
    {
        after = 0;
        return cursor is null || long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out after);
    }
}
