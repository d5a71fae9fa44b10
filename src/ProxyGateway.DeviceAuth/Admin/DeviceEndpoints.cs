using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary><c>/admin/v1/devices</c>: those with something approved, and their removal.</summary>
internal static class DeviceEndpoints
{
    public static void Map(RouteGroupBuilder admin)
    {
        RouteGroupBuilder devices = admin.MapGroup("/devices").WithTags("devices").Takes(AdminParameter.DeviceId);
        devices.MapGet("", ListAsync).RequireAuthorization(AdminPolicies.Read)
            .Describe("listDevices", "Lists the devices with something approved")
            .Pages<DeviceView>();
        devices.MapGet("/{id}", GetAsync).RequireAuthorization(AdminPolicies.Read)
            .Describe("getDevice", "Shows a device")
            .Produces<DeviceView>().Fails(AdminProblems.DeviceNotFound);
        devices.MapDelete("/{id}", RemoveAsync).RequireAuthorization(AdminPolicies.Decide)
            .Describe("removeDevice", "Removes a device: closes its sessions, and no rule pairs it again")
            .Produces(StatusCodes.Status204NoContent).Fails(AdminProblems.DeviceNotFound);
    }

    private static async Task<IResult> ListAsync(HttpContext context, DeviceRegistry registry)
    {
        if (!PageQuery.TryRead(context.Request.Query, out PageQuery query))
            return AdminProblems.InvalidPage;
        Page<DeviceRecord> page = await registry.ListPairedAsync(query.Cursor, query.Limit, context.RequestAborted);
        return TypedResults.Json(
            new PageView<DeviceView>([.. page.Items.Select(DeviceView.Of)], page.Next), AdminJsonContext.Default.PageViewDeviceView);
    }

    private static async Task<IResult> GetAsync(string id, HttpContext context, DeviceRegistry registry)
    {
        if (!DeviceId.TryParse(id, out DeviceId deviceId)
            || await registry.FindAsync(deviceId, context.RequestAborted) is not { IsPaired: true } record)
            return AdminProblems.DeviceNotFound;
        return TypedResults.Json(DeviceView.Of(record), AdminJsonContext.Default.DeviceView);
    }

    private static async Task<IResult> RemoveAsync(
        string id, HttpContext context, DeviceRegistry registry, IDeviceAuthSettings settings, ILogger<AdminRequestGuard> logger)
    {
        if (!DeviceId.TryParse(id, out DeviceId deviceId))
            return AdminProblems.DeviceNotFound;

        // Not given up when the operator hangs up: a removal that was written must reach the sessions of this process.
        Operator by = context.Features.GetRequiredFeature<Operator>();
        if (!await registry.RemoveAsync(deviceId, by, settings.Current.PairingRules, CancellationToken.None))
            return AdminProblems.DeviceNotFound;
        AdminLog.Removed(logger, by.Name, deviceId);
        return TypedResults.NoContent();
    }
}
