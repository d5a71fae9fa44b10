using System.Security.Cryptography.X509Certificates;

namespace ProxyGateway.Connecting;

/// <summary>The parameters of a device's connection.</summary>
/// <param name="Url">Where the gateway serves.</param>
/// <param name="Role">The role; null: the handshake's default.</param>
/// <param name="Scopes">The scopes; null: the handshake's default.</param>
/// <param name="Token">The backend's token, of the OpenClaw protocol alone.</param>
internal sealed record ConnectAsk(Uri Url, string? Role, IReadOnlyList<string>? Scopes, string? Token)
{
    /// <summary>The secret of an invitation, for a proof; null: none.</summary>
    public string? Invitation { get; init; }

    /// <summary>The certificates that are trusted; null: the system's.</summary>
    public X509Certificate2Collection? Trusted { get; init; }

    /// <summary>The URL with the scheme of HTTP.</summary>
    public Uri HttpUrl => new UriBuilder(Url) { Scheme = Url.Scheme is "wss" or "https" ? "https" : "http", Port = Url.Port }.Uri;

    /// <summary>Whether a WebSocket is asked for, so that the gateway's answer says which handshake the route has.</summary>
    public bool IsWebSocket => Url.Scheme is "ws" or "wss";
}
