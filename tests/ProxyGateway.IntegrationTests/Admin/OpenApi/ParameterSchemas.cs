using Microsoft.OpenApi;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Overview;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.IntegrationTests.Admin.OpenApi;

/// <summary>The allowed values of each parameter.</summary>
internal static class ParameterSchemas
{
    public static OpenApiSchema Of(AdminParameter parameter) => parameter switch
    {
        _ when parameter == AdminParameter.DeviceId => AdminSchemas.DeviceId(),
        _ when parameter == AdminParameter.RequestId => AdminSchemas.RequestId(),
        _ when parameter == AdminParameter.InvitationId => AdminSchemas.InvitationId(),
        _ when parameter == AdminParameter.SessionId => AdminSchemas.LongNumber(),
        _ when parameter == AdminParameter.Role => AdminSchemas.Name(),
        _ when parameter == AdminParameter.Audience => AdminSchemas.Audience(),
        _ when parameter == AdminParameter.AudienceFilter => AdminSchemas.Audience(),
        _ when parameter == AdminParameter.Limit => AdminSchemas.Number(1, PageQuery.MaxLimit, PageQuery.DefaultLimit),
        _ when parameter == AdminParameter.Cursor => AdminSchemas.Text(maxLength: PageQuery.MaxCursorLength),
        _ when parameter == AdminParameter.KindFilter => AdminSchemas.OneOf(AuditKinds.All),
        _ when parameter == AdminParameter.DeviceFilter => AdminSchemas.DeviceId(),
        _ when parameter == AdminParameter.OperatorFilter => AdminSchemas.Text(maxLength: ScopeSet.MaxNameLength),
        _ when parameter == AdminParameter.Hours => AdminSchemas.Number(1, IGateOverview.MaxHours, IGateOverview.MaxHours),
        _ when parameter == AdminParameter.LastEventId => AdminSchemas.LongNumber(),
        _ when parameter == AdminParameter.IfMatch => AdminSchemas.Text(),
        _ => throw new ArgumentOutOfRangeException(nameof(parameter), parameter.Name, "A parameter without a schema."),
    };
}
