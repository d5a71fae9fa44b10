using ProxyGateway.DeviceAuth.Client;
using Yarp.ReverseProxy.Forwarder;

namespace ProxyGateway.Forwarding;

/// <summary>What of a local client's request goes to the gateway, and what of the answer comes back.</summary>
internal sealed class ForwardTransformer(ForwardTarget target, Uri url, ForwardWatch watch) : HttpTransformer
{
    // Own is the local page's origin, which is checked by now and means nothing to the gateway. A proof, nonce or session of a client's own would not be this device's.
    private static readonly string[] Own = ["Origin", "Device-Proof", "Device-Nonce", "Device-Session"];
    private static readonly string[] OfGateway = ["Device-Nonce", "DPoP-Nonce", "Alt-Svc"];
    private static readonly string[] OfSharedJar = ["Set-Cookie", "Clear-Site-Data"];

    public override async ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
        proxyRequest.RequestUri = url;
        proxyRequest.Headers.Host = null; // the target's
        foreach (string name in Own)
            proxyRequest.Headers.Remove(name);
        if (SharesCookies(httpContext.Request))
            proxyRequest.Headers.Remove("Cookie");
    }

    public override async ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (proxyResponse is null)
            return await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
        GateProblem? problem = await GateProblem.ReadAsync(proxyResponse, cancellationToken);
        watch.Saw((int)proxyResponse.StatusCode, problem);
        switch (problem)
        {
            case { Code: GateProblem.PairingRequired }:
                await ForwardAnswers.PairingAsync(httpContext, problem);
                return false;
            case { Code: "use_dpop_nonce" or "device_proof_required" }:
                await ForwardAnswers.AgainAsync(httpContext);
                return false;
        }

        bool copiesBody = await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
        IHeaderDictionary headers = httpContext.Response.Headers;
        foreach (string name in OfGateway)
            headers.Remove(name);
        foreach (string name in SharesCookies(httpContext.Request) ? OfSharedJar : [])
            headers.Remove(name);
        if (headers.Location is [{ } location])
            headers.Location = target.LocalOf(location);
        return copiesBody;
    }

    // A browser has one jar of cookies for all ports of 127.0.0.1: the agent would get those of every other service there, such as of a notebook, and could put its own in
    // their place. A name below localhost has a jar of its own.
    private static bool SharesCookies(HttpRequest request) =>
        (request.Headers.ContainsKey("Sec-Fetch-Site") || request.Headers.Origin.Count > 0) && !request.Host.Host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase);
}
