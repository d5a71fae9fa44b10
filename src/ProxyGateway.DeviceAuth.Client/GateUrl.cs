namespace ProxyGateway.DeviceAuth.Client;

/// <summary>What the device's side needs to know of a gateway's URL.</summary>
internal static class GateUrl
{
    public const string NoncePath = "/.well-known/proxygateway/nonce";
    public const string SessionPath = "/.well-known/proxygateway/session";

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
        if (WhyUnsafe(url) is { } why)
            throw new ArgumentException(why, nameof(url));
    }

    /// <summary>Why a proof must not go there; null if it may.</summary>
    public static string? WhyUnsafe(Uri url)
    {
        if (!url.IsAbsoluteUri || url.Scheme is not ("http" or "https" or "ws" or "wss"))
            return $"'{url}' is no URL of HTTP or of a WebSocket.";

        // Not *.localhost: DNS may decide where such a name leads.
        return !IsTls(url) && !url.IsLoopback ? $"A proof is not sent to {OriginOf(url)}: only https is safe, or a loopback address." : null;
    }

    public static bool IsTls(Uri url) => url.Scheme is "https" or "wss";
}
