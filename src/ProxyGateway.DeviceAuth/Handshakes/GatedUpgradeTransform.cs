using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Decides which answer of a backend to an upgrade the client gets. A device that was admitted before gets whatever it is. Anybody else gets only a 101, of which
/// only the headers that complete the upgrade, since cookies and server names are for admitted devices; and 502 instead of any other answer, since with it the
/// backend would talk to an unverified client.
/// </summary>
internal sealed class GatedUpgradeTransform : ITransformProvider
{
    private const string Protocol = "websocket";
    private const string SecWebSocketAccept = "Sec-WebSocket-Accept";
    private const string SecWebSocketProtocol = "Sec-WebSocket-Protocol";

    public void ValidateRoute(TransformRouteValidationContext context)
    {
    }

    public void ValidateCluster(TransformClusterValidationContext context)
    {
    }

    public void Apply(TransformBuilderContext context)
    {
        context.AddResponseTransform(static response =>
        {
            HttpContext http = response.HttpContext;
            if (http.Features.Get<GatedUpgrade>() is not { } gated || response.ProxyResponse is not { } answer)
                return default;

            bool switches = Switches(http, answer);
            if (gated.IsAdmitted && !switches && answer.StatusCode != HttpStatusCode.SwitchingProtocols)
                return default;

            // Headers that the proxy has copied by now, and that the route's own transforms have added.
            IHeaderDictionary headers = http.Response.Headers;
            if (!gated.IsAdmitted || !switches)
                headers.Clear();
            http.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = null;
            if (switches)
            {
                answer.Content = gated.Wrap(answer.Content);
                SayWhatSwitches(http, answer);
                return default;
            }

            http.Response.StatusCode = StatusCodes.Status502BadGateway;
            response.SuppressResponseBody = true;
            return default;
        });
        context.AddResponseTrailersTransform(static trailers =>
        {
            if (trailers.HttpContext.Features.Get<GatedUpgrade>() is { IsAdmitted: false })
                trailers.HttpContext.Features.Get<IHttpResponseTrailersFeature>()?.Trailers.Clear();
            return default;
        });
    }

    // Exactly YARP's condition for a switch: YARP would forward any other answer as an ordinary response, with its body. For a client over
    // HTTP/2 YARP has made the key itself, and checks the backend's reply to it.
    private static bool Switches(HttpContext http, HttpResponseMessage answer) => answer.StatusCode == HttpStatusCode.SwitchingProtocols
        ? string.Equals(ValueOf(answer.Headers, "Upgrade"), Protocol, StringComparison.OrdinalIgnoreCase)
            && (HttpProtocol.IsHttp2(http.Request.Protocol) || ValueOf(answer.Headers, SecWebSocketAccept) == WebSocketUpgrade.AcceptOf(http.Request))
        : answer.StatusCode == HttpStatusCode.OK
            && answer.Version == HttpVersion.Version20
            && answer.RequestMessage is { Headers.Protocol: not null } connect
            && connect.Method == HttpMethod.Connect;

    // RFC 6455 §4.2.2; RFC 8441 §5 for HTTP/2. No extensions: none were offered.
    private static void SayWhatSwitches(HttpContext http, HttpResponseMessage answer)
    {
        IHeaderDictionary headers = http.Response.Headers;
        if (!HttpProtocol.IsHttp2(http.Request.Protocol))
        {
            headers.Connection = "Upgrade";
            headers.Upgrade = Protocol;
            headers[SecWebSocketAccept] = WebSocketUpgrade.AcceptOf(http.Request);
        }
        else if (ValueOf(answer.Headers, SecWebSocketAccept) is { } accept)
        {
            headers[SecWebSocketAccept] = accept; // for YARP, which reads it from here
        }

        if (ValueOf(answer.Headers, SecWebSocketProtocol) is { } chosen && Offers(http.Request, chosen))
            headers[SecWebSocketProtocol] = chosen;
        else if (http.Features.Get<FallbackSubprotocol>() is { } fallback)
            headers[SecWebSocketProtocol] = fallback.Name;
        else
            headers.Remove(SecWebSocketProtocol);
    }

    private static bool Offers(HttpRequest request, string protocol)
    {
        foreach (string? line in request.Headers.SecWebSocketProtocol)
        {
            if (line?.Split(',', StringSplitOptions.TrimEntries).Contains(protocol, StringComparer.Ordinal) == true)
                return true;
        }

        return false;
    }

    private static string? ValueOf(HttpHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out HeaderStringValues values) ? values.ToString() : null;
}
