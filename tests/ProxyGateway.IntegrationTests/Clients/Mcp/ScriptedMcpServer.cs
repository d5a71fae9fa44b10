using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.IntegrationTests.Clients.Mcp;

/// <summary>A server that answers as a test says, byte for byte.</summary>
internal sealed class ScriptedMcpServer : IAsyncDisposable
{
    private readonly WebApplication _server;

    private ScriptedMcpServer(WebApplication server) => _server = server;

    public Uri Url => new(_server.Urls.First() + "/mcp");

    public ConcurrentQueue<Heard> Requests { get; } = [];

    public static async Task<ScriptedMcpServer> StartAsync(Func<Heard, HttpContext, Task> answer)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = new ScriptedMcpServer(builder.Build());
        server._server.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            string body = await reader.ReadToEndAsync(context.RequestAborted);
            var heard = new Heard(context.Request.Method, body, context.Request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase));
            server.Requests.Enqueue(heard);
            await answer(heard, context);
        });
        await server._server.StartAsync();
        return server;
    }

    /// <summary>The requests with this method of JSON-RPC.</summary>
    public Heard[] Of(string method) => [.. Requests.Where(r => r.Method == method)];

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.Zero);
        await _server.StopAsync(patience.Token);
        await _server.DisposeAsync();
    }

    /// <summary>A request, and the method in its body.</summary>
    internal sealed record Heard(string Verb, string Body, IReadOnlyDictionary<string, string> Headers)
    {
        public JsonNode? Json { get; } = Body.Length > 0 ? JsonNode.Parse(Body) : null;

        public string Method => (string?)Json?["method"] ?? Verb;

        public string Id => Json?["id"]?.ToJsonString() ?? "null";

        public string? Header(string name) => Headers.GetValueOrDefault(name);
    }
}

internal static class ScriptedAnswers
{
    public static async Task JsonAsync(this HttpContext context, string json, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(json, context.RequestAborted);
    }

    public static Task ResultAsync(this HttpContext context, ScriptedMcpServer.Heard request, string result = "{}") =>
        context.JsonAsync($$"""{"jsonrpc":"2.0","id":{{request.Id}},"result":{{result}}}""");

    public static Task AcceptedAsync(this HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        return Task.CompletedTask;
    }

    /// <summary>Sends events, as they are written here.</summary>
    public static async Task EventsAsync(this HttpContext context, string events)
    {
        context.Response.ContentType = "text/event-stream";
        await context.Response.WriteAsync(events, context.RequestAborted);
        await context.Response.Body.FlushAsync(context.RequestAborted);
    }

    /// <summary>Keeps the response open until the client leaves.</summary>
    public static async Task StayAsync(this HttpContext context) =>
        await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
