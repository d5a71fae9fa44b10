using System.Net.Mime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace ProxyGateway.DeviceAuth.Admin.OpenApi;

/// <summary>
/// <c>/openapi/v1.json</c>: the description of the operators' endpoints. The file <c>v1.json</c> is generated; a test compares it with what the
/// framework says of the endpoints. So the program does without the libraries that describe.
/// </summary>
internal static class AdminDocument
{
    private const string Resource = "openapi/v1.json";

    private static readonly Lazy<byte[]> Json = new(Read);

    public static void Map(IEndpointRouteBuilder endpoints) =>
        endpoints.MapMethods("/openapi/v1.json", [HttpMethods.Get, HttpMethods.Head], static () => TypedResults.Bytes(Json.Value, MediaTypeNames.Application.Json))
            .AllowAnonymous().DisableRateLimiting().ExcludeFromDescription();

    private static byte[] Read()
    {
        using Stream stream = typeof(AdminDocument).Assembly.GetManifestResourceStream(Resource)!;
        byte[] json = new byte[stream.Length];
        stream.ReadExactly(json);
        return json;
    }
}
