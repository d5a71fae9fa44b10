using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// A program's additions to the operators' listener, which is a separate application: bounds of the server, or endpoints that the program
/// received.
/// </summary>
/// <param name="Configure">Adds to that application's services and server, before it is built.</param>
/// <param name="BringsEndpoints">Whether it adds endpoints to listen on, instead of <see cref="AdminOptions.Url"/>.</param>
public sealed record AdminListenerSetup(Action<WebApplicationBuilder> Configure, bool BringsEndpoints = false)
{
    /// <summary>
    /// Wraps the handling of requests with a valid key, for example to keep their connections open meanwhile; null: it is not wrapped.
    /// </summary>
    public Func<RequestDelegate, RequestDelegate>? AroundKeyedRequests { get; init; }

    /// <summary>
    /// Maps further endpoints of that application; null: none. Each wants an operator's key, unless it allows anonymous requests.
    /// </summary>
    public Action<IEndpointRouteBuilder>? MapEndpoints { get; init; }
}
