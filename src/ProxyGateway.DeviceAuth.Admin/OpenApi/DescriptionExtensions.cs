using System.Collections.Immutable;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Admin.OpenApi;

/// <summary>
/// Describes an endpoint in <c>/openapi/v1.json</c>, beyond its route and its policy: <see cref="Describe"/>, then its input (
/// <see cref="Takes"/>, <c>Accepts</c>), its answers (<c>Produces</c>) and its errors (<see cref="Fails"/>). The errors of all endpoints
/// with a key (401, 403, 429, 5xx) are added by themselves.
/// </summary>
internal static class DescriptionExtensions
{
    /// <summary>Sets the name of the operation, and its description in one line.</summary>
    public static RouteHandlerBuilder Describe(
        this RouteHandlerBuilder endpoint, string operationId, string summary, string? description = null)
    {
        endpoint.WithName(operationId).WithSummary(summary);
        return description is null ? endpoint : endpoint.WithDescription(description);
    }

    /// <summary>Adds parameters; for a group, those of its paths.</summary>
    public static T Takes<T>(this T endpoints, params ReadOnlySpan<AdminParameter> parameters)
        where T : IEndpointConventionBuilder
    {
        endpoints.WithMetadata(new TakenParameters([.. parameters]));
        return endpoints;
    }

    /// <summary>Answers with a list in pages.</summary>
    public static RouteHandlerBuilder Pages<T>(this RouteHandlerBuilder endpoint) =>
        endpoint.Takes(AdminParameter.Limit, AdminParameter.Cursor).Produces<PageView<T>>().Fails(AdminProblems.InvalidPage);

    /// <summary>Takes a JSON body.</summary>
    public static RouteHandlerBuilder TakesBody<T>(this RouteHandlerBuilder endpoint, bool isOptional = false)
        where T : notnull =>
        endpoint.Accepts<T>(isOptional, "application/json").Fails(AdminProblems.InvalidRequest, AdminProblems.BodyTooLarge, AdminProblems.NotJson);

    /// <summary>Answers with JSON, and with its version in <c>ETag</c>.</summary>
    public static RouteHandlerBuilder GivesVersioned<T>(this RouteHandlerBuilder endpoint) =>
        endpoint.Produces<T>().WithMetadata(new VersionedAnswer());

    /// <summary>Takes <c>If-Match</c>.</summary>
    public static RouteHandlerBuilder TakesIfMatch(this RouteHandlerBuilder endpoint) =>
        endpoint.Takes(AdminParameter.IfMatch).Fails(AdminProblems.InvalidIfMatch, AdminProblems.PreconditionFailed);

    /// <summary>Adds the problems that it may answer with.</summary>
    public static RouteHandlerBuilder Fails(this RouteHandlerBuilder endpoint, params ReadOnlySpan<AdminProblem> problems) =>
        endpoint.WithMetadata(new PossibleProblems([.. problems]));
}

internal sealed record TakenParameters(ImmutableArray<AdminParameter> Parameters);

internal sealed record PossibleProblems(ImmutableArray<AdminProblem> Problems);

internal sealed record VersionedAnswer;
