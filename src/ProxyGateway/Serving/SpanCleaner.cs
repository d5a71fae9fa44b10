using System.Diagnostics;
using OpenTelemetry;

namespace ProxyGateway.Serving;

/// <summary>
/// Takes out of spans of ASP.NET Core what the client has written: a path or query may hold a token, and a header of 32 KB would be in every span.
/// </summary>
internal sealed class SpanCleaner : BaseProcessor<Activity>
{
    private static readonly string[] OfClients =
    [
        "url.path", "url.query", "url.full", "user_agent.original", "server.address", "server.port", "client.address", "http.request.method_original",
        "http.url", "http.target", "http.host", "http.user_agent", "http.path", "http.method",
    ];

    /// <inheritdoc/>
    public override void OnEnd(Activity data)
    {
        data.TraceStateString = null;
        foreach (string name in OfClients)
        {
            if (data.GetTagItem(name) is not null)
                data.SetTag(name, null);
        }
    }
}
