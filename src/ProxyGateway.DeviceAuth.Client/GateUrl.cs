namespace ProxyGateway.DeviceAuth.Client;

/// <summary>What the device's side needs to know of a gateway's URL.</summary>
internal static class GateUrl
{
    public const string NoncePath = "/.well-known/proxygateway/nonce";

    /// <summary>Scheme and authority, <c>ws</c> as <c>http</c>: what nonces are kept by, and what the claim <c>htu</c> begins with.</summary>
    public static string OriginOf(Uri url)
    {
        string host = url.HostNameType == UriHostNameType.IPv6 ? url.Host : url.IdnHost;
        return $"{(IsTls(url) ? "https" : "http")}://{host}{(url.IsDefaultPort ? "" : $":{url.Port}")}";
    }

    /// <summary>
    /// Throws where a proof must not go: over a connection that is not encrypted, others could take the body, put theirs in its place, or read the answer.
    /// </summary>
    /// <exception cref="ArgumentException">It is no absolute URL of HTTP or a WebSocket; or it is not encrypted, and not on loopback.</exception>
    public static void EnsureSafe(Uri url)
    {
        if (!url.IsAbsoluteUri || url.Scheme is not ("http" or "https" or "ws" or "wss"))
            throw new ArgumentException($"'{url}' is no URL of HTTP or of a WebSocket.", nameof(url));

        // Not *.localhost: DNS may decide where such a name leads.
        if (!IsTls(url) && !url.IsLoopback)
            throw new ArgumentException($"A proof is not sent to {OriginOf(url)}: only https is safe, or a loopback address.", nameof(url));
    }

    public static bool IsTls(Uri url) => url.Scheme is "https" or "wss";
}
