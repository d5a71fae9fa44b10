using System.Collections.Immutable;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Admin.OpenApi;

/// <summary>
/// What <c>/openapi/v1.json</c> says of an endpoint, beside what its route and its policy say: <see cref="Describe"/>, then what it takes
/// (<see cref="Takes"/>, <c>Accepts</c>), what it gives (<c>Produces</c>) and how it fails (<see cref="Fails"/>). What every endpoint with a key has
/// in common (401, 403, 429, 5xx) need not be said.
/// </summary>
internal static class DescriptionExtensions
{
    /// <summary>Names the operation, and says in a line what it does.</summary>
    public static RouteHandlerBuilder Describe(this RouteHandlerBuilder endpoint, string operationId, string summary, string? description = null)
    {
        endpoint.WithName(operationId).WithSummary(summary);
        return description is null ? endpoint : endpoint.WithDescription(description);
    }

    /// <summary>Parameters; for a group, those of its paths.</summary>
    public static T Takes<T>(this T endpoints, params ReadOnlySpan<AdminParameter> parameters)
        where T : IEndpointConventionBuilder
    {
        endpoints.WithMetadata(new TakenParameters([.. parameters]));
        return endpoints;
    }

    /// <summary>It gives a list in pages.</summary>
    public static RouteHandlerBuilder Pages<T>(this RouteHandlerBuilder endpoint) =>
        endpoint.Takes(AdminParameter.Limit, AdminParameter.Cursor).Produces<PageView<T>>().Fails(AdminProblems.InvalidPage);

    /// <summary>It takes a JSON body.</summary>
    public static RouteHandlerBuilder TakesBody<T>(this RouteHandlerBuilder endpoint, bool isOptional = false)
        where T : notnull =>
        endpoint.Accepts<T>(isOptional, "application/json").Fails(AdminProblems.InvalidRequest, AdminProblems.BodyTooLarge, AdminProblems.NotJson);

    /// <summary>It gives JSON, with the version of what it is about in <c>ETag</c>.</summary>
    public static RouteHandlerBuilder GivesVersioned<T>(this RouteHandlerBuilder endpoint) =>
        endpoint.Produces<T>().WithMetadata(new VersionedAnswer());

    /// <summary>It takes <c>If-Match</c>.</summary>
    public static RouteHandlerBuilder TakesIfMatch(this RouteHandlerBuilder endpoint) =>
        endpoint.Takes(AdminParameter.IfMatch).Fails(AdminProblems.InvalidIfMatch, AdminProblems.PreconditionFailed);

    /// <summary>The problems that it may answer with.</summary>
    public static RouteHandlerBuilder Fails(this RouteHandlerBuilder endpoint, params ReadOnlySpan<AdminProblem> problems) =>
        endpoint.WithMetadata(new PossibleProblems([.. problems]));
}

internal sealed record TakenParameters(ImmutableArray<AdminParameter> Parameters);

internal sealed record PossibleProblems(ImmutableArray<AdminProblem> Problems);

internal sealed record VersionedAnswer;
