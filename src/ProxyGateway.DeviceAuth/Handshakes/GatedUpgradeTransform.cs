using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Lets only one answer of a backend to a gated upgrade pass: that it switches; and then the proxy gets a stream of ours instead of the
/// backend's own. With any other answer the backend would talk to a client which nobody has verified, so the client gets a 502, and
/// nothing of the backend's.
/// </summary>
internal sealed class GatedUpgradeTransform : ITransformProvider
{
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
            if (Switches(answer))
            {
                answer.Content = gated.Wrap(answer.Content);
                return default;
            }

            http.Response.Headers.Clear();
            http.Response.StatusCode = StatusCodes.Status502BadGateway;
            http.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = null;
            response.SuppressResponseBody = true;
            return default;
        });
    }

    // No wider than what YARP takes for a switch: any other answer it would forward as an ordinary response, body and all.
    private static bool Switches(HttpResponseMessage answer) => answer.StatusCode == HttpStatusCode.SwitchingProtocols
        ? answer.Headers.NonValidated.TryGetValues("Upgrade", out HeaderStringValues upgrade)
            && string.Equals(upgrade.ToString(), "websocket", StringComparison.OrdinalIgnoreCase)
        : answer.StatusCode == HttpStatusCode.OK
            && answer.Version == HttpVersion.Version20
            && answer.RequestMessage is { Headers.Protocol: not null } request
            && request.Method == HttpMethod.Connect;
}
