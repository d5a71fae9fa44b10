using Microsoft.OpenApi;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin.OpenApi;

/// <summary>
/// A parameter of operators' endpoints. The handlers read most of them themselves, so that an invalid parameter is answered with a problem
/// of ours. So the framework does not know them, and they are described here.
/// </summary>
/// <param name="Name">Its name: of a part of the path, a query key or a header.</param>
/// <param name="In">Its location.</param>
/// <param name="Description">Its meaning.</param>
/// <param name="Schema">Its allowed values.</param>
internal sealed record AdminParameter(string Name, ParameterLocation In, string Description, Func<OpenApiSchema> Schema)
{
    public static AdminParameter DeviceId { get; } = new("id", ParameterLocation.Path, "The device's id.", AdminSchemas.DeviceId);

    public static AdminParameter RequestId { get; } = new("id", ParameterLocation.Path, "The pairing request's id.", AdminSchemas.RequestId);

    public static AdminParameter InvitationId { get; } = new("id", ParameterLocation.Path, "The invitation's id.", AdminSchemas.InvitationId);

    public static AdminParameter SessionId { get; } = new("id", ParameterLocation.Path, "The session's id.", AdminSchemas.LongNumber);

    public static AdminParameter Role { get; } = new("role", ParameterLocation.Path, "The role.", AdminSchemas.Name);

    public static AdminParameter Audience { get; } = new("audience", ParameterLocation.Path, "The audience.", AdminSchemas.Audience);

    public static AdminParameter AudienceFilter { get; } = new(AudienceQuery.Name, ParameterLocation.Query, "Only of this audience.", AdminSchemas.Audience);

    public static AdminParameter Limit { get; } = new(
        "limit", ParameterLocation.Query, "How many items a page has at most.", () => AdminSchemas.Number(1, PageQuery.MaxLimit, PageQuery.DefaultLimit));

    public static AdminParameter Cursor { get; } = new(
        "cursor", ParameterLocation.Query, "The next of the page before; without it, the first page.", () => AdminSchemas.Text(maxLength: PageQuery.MaxCursorLength));

    public static AdminParameter KindFilter { get; } = new(
        "kind", ParameterLocation.Query, "Only entries of this kind.", () => AdminSchemas.OneOf(AuditKinds.All));

    public static AdminParameter DeviceFilter { get; } = new(
        "device", ParameterLocation.Query, "Only of the device with this id.", AdminSchemas.DeviceId);

    public static AdminParameter OperatorFilter { get; } = new(
        "operator", ParameterLocation.Query, "Only what the operator with this name did.", () => AdminSchemas.Text(maxLength: ScopeSet.MaxNameLength));

    public static AdminParameter LastEventId { get; } = new(
        "Last-Event-ID", ParameterLocation.Header, "The id of the last event that was heard; what came after it is told first.", AdminSchemas.LongNumber);

    public static AdminParameter IfMatch { get; } = new(
        "If-Match", ParameterLocation.Header, "The ETag of what is to be changed, or *: nothing is changed if it is another by now.", () => AdminSchemas.Text());
}
