using System.Net.Mime;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;

namespace ProxyGateway.DeviceAuth.Admin.OpenApi;

/// <summary>
/// <c>/openapi/v1.json</c>: the description of the operators' endpoints. It is made once, at the first request: anybody may ask for it, and
/// making it takes long.
/// </summary>
internal sealed class AdminDocument([FromKeyedServices(AdminDocument.Name)] IOpenApiDocumentProvider provider)
{
    public const string Name = "v1";

    private readonly Lazy<Task<byte[]>> _json = new(async () =>
    {
        OpenApiDocument document = await provider.GetOpenApiDocumentAsync();
        return Encoding.UTF8.GetBytes(await document.SerializeAsJsonAsync(OpenApiSpecVersion.OpenApi3_1));
    });

    public static void Map(IEndpointRouteBuilder endpoints) =>
        endpoints.MapMethods($"/openapi/{Name}.json", [HttpMethods.Get, HttpMethods.Head], static async (HttpContext context, AdminDocument document) =>
            (IResult)TypedResults.Bytes(await document._json.Value.WaitAsync(context.RequestAborted), MediaTypeNames.Application.Json))
            .AllowAnonymous().DisableRateLimiting().ExcludeFromDescription();
}
