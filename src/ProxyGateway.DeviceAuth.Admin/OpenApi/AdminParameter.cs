namespace ProxyGateway.DeviceAuth.Admin.OpenApi;

/// <summary>
/// A parameter of operators' endpoints. The handlers read most of them themselves, so that an invalid parameter is answered with a problem
/// of ours. So the framework does not know them, and they are described here.
/// </summary>
/// <param name="Name">Its name: of a part of the path, a query key or a header.</param>
/// <param name="In">Its location, as OpenAPI names it.</param>
/// <param name="Description">Its meaning.</param>
internal sealed record AdminParameter(string Name, string In, string Description)
{
    private const string InPath = "path";
    private const string InQuery = "query";
    private const string InHeader = "header";

    public static AdminParameter DeviceId { get; } = new("id", InPath, "The device's id.");

    public static AdminParameter RequestId { get; } = new("id", InPath, "The pairing request's id.");

    public static AdminParameter InvitationId { get; } = new("id", InPath, "The invitation's id.");

    public static AdminParameter SessionId { get; } = new("id", InPath, "The session's id.");

    public static AdminParameter Role { get; } = new("role", InPath, "The role.");

    public static AdminParameter Audience { get; } = new("audience", InPath, "The audience.");

    public static AdminParameter AudienceFilter { get; } = new(AudienceQuery.Name, InQuery, "Only of this audience.");

    public static AdminParameter Limit { get; } = new("limit", InQuery, "How many items a page has at most.");

    public static AdminParameter Cursor { get; } = new("cursor", InQuery, "The next of the page before; without it, the first page.");

    public static AdminParameter KindFilter { get; } = new("kind", InQuery, "Only entries of this kind.");

    public static AdminParameter DeviceFilter { get; } = new("device", InQuery, "Only of the device with this id.");

    public static AdminParameter OperatorFilter { get; } = new("operator", InQuery, "Only what the operator with this name did.");

    public static AdminParameter Hours { get; } = new("hours", InQuery, "How many hours back.");

    public static AdminParameter LastEventId { get; } = new(
        "Last-Event-ID", InHeader, "The id of the last event that was heard; what came after it is told first.");

    public static AdminParameter IfMatch { get; } = new("If-Match", InHeader, "The ETag of what is to be changed, or *: nothing is changed if it is another by now.");
}
