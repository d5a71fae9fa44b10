using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Primitives;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary><c>/admin/v1/audit</c>: past events, newest first.</summary>
internal static class AuditEndpoints
{
    private const int MaxNameLength = 128;

    private static readonly AdminProblem NotAFilter = AdminProblems.InvalidRequest with
    {
        Detail = $"device is a device's id, audience an audience, operator the name of a key, and kind one of: {string.Join(", ", AuditKinds.All)}.",
    };

    public static void Map(RouteGroupBuilder admin) => admin.MapGet("/audit", ListAsync).RequireAuthorization(AdminPolicies.Read)
        .WithTags("audit").Describe("listAudit", "Lists what happened, newest first")
        .Takes(AdminParameter.KindFilter, AdminParameter.DeviceFilter, AdminParameter.AudienceFilter, AdminParameter.OperatorFilter)
        .Pages<AuditEntry>().Fails(NotAFilter, AdminProblems.AuditOff);

    private static async Task<IResult> ListAsync(HttpContext context, [FromServices] IAuditStore? audit)
    {
        if (audit is null)
            return AdminProblems.AuditOff;
        IQueryCollection query = context.Request.Query;
        if (!PageQuery.TryRead(query, out PageQuery page) || !TryReadCursor(page.Cursor, out long? before))
            return AdminProblems.InvalidPage;
        if (!TryReadFilter(query, out AuditFilter filter))
            return NotAFilter;
        (IReadOnlyList<AuditEntry> items, long? next) = await audit.ListAsync(filter, before, page.Limit, context.RequestAborted);
        return TypedResults.Json(
            new PageView<AuditEntry>(items, next?.ToString(CultureInfo.InvariantCulture)), AuditJson.Page);
    }

    private static bool TryReadCursor(string? cursor, out long? before)
    {
        bool isNumber = long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out long id);
        before = isNumber ? id : null;
        return isNumber || cursor is null;
    }

    private static bool TryReadFilter(IQueryCollection query, out AuditFilter filter)
    {
        filter = new AuditFilter();
        if (!TryReadOne(query["kind"], out string? kind) || !TryReadOne(query["device"], out string? device) || !TryReadOne(query["operator"], out string? by))
            return false;
        if (!AudienceQuery.TryRead(query, out Audience? audience))
            return false;
        DeviceId id = default;
        if ((kind is not null && !AuditKinds.All.Contains(kind)) || (device is not null && !DeviceId.TryParse(device, out id)))
            return false;
        filter = new AuditFilter(kind, device is null ? null : id, by) { Audience = audience };
        return true;
    }

    private static bool TryReadOne(StringValues values, out string? value)
    {
        value = values.Count == 1 ? values[0] : null;
        return values.Count == 0 || value is { Length: > 0 and <= MaxNameLength };
    }
}
