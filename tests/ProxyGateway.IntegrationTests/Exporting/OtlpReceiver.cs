using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.IntegrationTests.Exporting;

/// <summary>A receiver of OTLP over HTTP, with protocol buffers: what came, and every byte of it.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<byte[]> _bodies = [];

    private OtlpReceiver(WebApplication app) => _app = app;

    public string Address => _app.Urls.First();

    /// <summary>Names of metrics, and the names of the attributes of each.</summary>
    public ConcurrentDictionary<string, ConcurrentDictionary<string, bool>> Metrics { get; } = [];

    public ConcurrentQueue<Span> Spans { get; } = [];

    public ConcurrentQueue<LogLine> Logs { get; } = [];

    /// <summary>The values of a header of all requests.</summary>
    public ConcurrentDictionary<string, bool> Authorizations { get; } = [];

    /// <summary>The attributes of the resource.</summary>
    public ConcurrentDictionary<string, string> Resource { get; } = [];

    /// <summary>All that came, as text of one byte a character.</summary>
    public string Everything() => string.Concat(_bodies.Select(Encoding.Latin1.GetString));

    public static async Task<OtlpReceiver> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        WebApplication app = builder.Build();
        var receiver = new OtlpReceiver(app);
        app.Run(receiver.ReceiveAsync);
        await app.StartAsync();
        return receiver;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task ReceiveAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        byte[] bytes = body.ToArray();
        _bodies.Enqueue(bytes);
        Authorizations[context.Request.Headers.Authorization.ToString()] = true;
        foreach (ProtoMessage ofResource in new ProtoMessage(bytes).All(1))
        {
            foreach ((string name, string value) in ofResource.All(1).First().Attributes(1))
                Resource[name] = value;
            foreach (ProtoMessage ofScope in ofResource.All(2))
                Take(context.Request.Path, ofScope);
        }

        context.Response.ContentType = "application/x-protobuf";
    }

    private void Take(string path, ProtoMessage scope)
    {
        foreach (ProtoMessage item in scope.All(2))
        {
            switch (path)
            {
                case "/v1/metrics":
                    TakeMetric(item);
                    break;
                case "/v1/traces":
                    Spans.Enqueue(new Span(item.Text(5), scope.All(1).First().Text(1), item.Hex(1), item.Hex(2), item.Hex(4), item.Number(7), item.Number(8), item.Attributes(9)));
                    break;
                case "/v1/logs":
                    Logs.Enqueue(new LogLine(item.All(5).First().Text(1), item.Hex(9), item.Attributes(6)));
                    break;
                default:
                    throw new InvalidDataException(path);
            }
        }
    }

    private void TakeMetric(ProtoMessage metric)
    {
        ConcurrentDictionary<string, bool> names = Metrics.GetOrAdd(metric.Text(1), _ => []);
        int kind = new[] { 5, 7, 9 }.First(metric.Has); // gauge, sum, histogram
        foreach (ProtoMessage point in metric.All(kind).First().All(1))
        {
            foreach (string name in point.Attributes(kind == 9 ? 9 : 7).Keys)
                names[name] = true;
        }
    }
}

/// <summary>A span that came.</summary>
internal sealed record Span(string Name, string Scope, string Trace, string Id, string Parent, ulong Start, ulong End, IReadOnlyDictionary<string, string> Attributes);

/// <summary>A log line that came.</summary>
internal sealed record LogLine(string Text, string Trace, IReadOnlyDictionary<string, string> Attributes);
