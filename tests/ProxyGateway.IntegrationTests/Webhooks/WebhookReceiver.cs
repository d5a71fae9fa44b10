using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Admin.Webhooks;

namespace ProxyGateway.IntegrationTests.Webhooks;

/// <summary>A receiver of webhooks: a Kestrel that keeps each request, and answers as the test says.</summary>
internal sealed class WebhookReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;

    private WebhookReceiver(WebApplication app) => _app = app;

    public Uri Url => new(_app.Urls.Single() + "/hook");

    public ConcurrentQueue<Told> Told { get; } = [];

    /// <summary>How it answers: 204, unless the test says otherwise.</summary>
    public Func<HttpContext, Task> Answer { get; set; } = context =>
    {
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    };

    public static async Task<WebhookReceiver> StartAsync(Uri? url = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(url?.GetLeftPart(UriPartial.Authority) ?? "http://127.0.0.1:0");
        WebApplication app = builder.Build();
        var receiver = new WebhookReceiver(app);
        app.Run(receiver.ReceiveAsync);
        await app.StartAsync();
        return receiver;
    }

    public Task HasAsync(int count) => Eventually.HoldsAsync(() => Task.FromResult(Told.Count >= count), $"{count} were received");

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task ReceiveAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        IHeaderDictionary headers = context.Request.Headers;
        Told.Enqueue(new Told(
            context.Request.Path, headers[WebhookMessage.IdHeader]!, headers[WebhookMessage.TimestampHeader]!, headers[WebhookMessage.SignatureHeader]!, body.ToArray()));
        await Answer(context);
    }
}

/// <summary>What came.</summary>
internal sealed record Told(string Path, string Id, string Timestamp, string Signature, byte[] Body)
{
    public string Type => JsonDocument.Parse(Body).RootElement.GetProperty("type").GetString()!;

    public JsonElement Data => JsonDocument.Parse(Body).RootElement.GetProperty("data");

    public void ShouldBeSignedBy(ReadOnlySpan<byte> secret) => Signature.ShouldBe(WebhookMessage.Sign(secret, Id, Timestamp, Body));
}
