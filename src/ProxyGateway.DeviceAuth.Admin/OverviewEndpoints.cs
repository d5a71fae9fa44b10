using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Primitives;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Overview;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary><c>/admin/v1/overview</c>: what the gateways of the registry have admitted and refused in the last hours.</summary>
internal static class OverviewEndpoints
{
    private static readonly AdminProblem NotHours = AdminProblems.InvalidRequest with { Detail = $"hours is a number, 1 to {IGateOverview.MaxHours}." };

    public static void Map(RouteGroupBuilder admin) => admin.MapGet("/overview", ReadAsync).RequireAuthorization(AdminPolicies.Read)
        .WithTags("overview").Describe("readOverview", "Counts what was admitted and refused in the last hours, on all gateways of the registry, in buckets of five minutes")
        .Takes(AdminParameter.Hours).Produces<OverviewReport>().Fails(NotHours);

    private static async Task<IResult> ReadAsync(HttpContext context, IGateOverview overview)
    {
        StringValues query = context.Request.Query["hours"];
        int hours = IGateOverview.MaxHours;
        if (query.Count > 0
            && (query.Count != 1 || !int.TryParse(query, NumberStyles.None, CultureInfo.InvariantCulture, out hours) || hours is < 1 or > IGateOverview.MaxHours))
        {
            return NotHours;
        }

        return TypedResults.Json(await overview.ReadAsync(hours, context.RequestAborted), AdminJsonContext.Default.OverviewReport);
    }
}
