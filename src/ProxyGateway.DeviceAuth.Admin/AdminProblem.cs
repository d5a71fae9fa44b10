using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>An error as RFC 9457 defines it. The type is stable; title and detail are for people.</summary>
/// <param name="Type"><c>urn:proxygateway:problem:</c> and a name.</param>
/// <param name="Title">Its meaning.</param>
/// <param name="Status">The status of the response.</param>
/// <param name="Detail">The details of this case.</param>
internal sealed record AdminProblem(string Type, string Title, int Status, string? Detail = null) : IResult
{
    private const string Urn = "urn:proxygateway:problem:";

    /// <summary>The last part of the type.</summary>
    [JsonIgnore]
    public string Name => Type[Urn.Length..];

    public static AdminProblem Of(string name, string title, int status) => new(Urn + name, title, status);

    public Task ExecuteAsync(HttpContext httpContext) => WriteAsync(httpContext);

    public Task WriteAsync(HttpContext context)
    {
        context.Response.StatusCode = Status;
        context.Response.ContentType = "application/problem+json";
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(this, AdminJsonContext.Default.AdminProblem);
        context.Response.ContentLength = body.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.Body.WriteAsync(body).AsTask();
    }
}
