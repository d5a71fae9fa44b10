using System.Collections.Frozen;
using System.Collections.Immutable;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Takes from a request what a client has no business to say: who it is, and whom a proxy has seen. What the gateway itself says of that to
/// the backend is set after this.
/// </summary>
internal static class ClientHeaders
{
    // By which proxies that authenticate somebody say who it is: an OpenClaw backend's own, oauth2-proxy's, Authelia's, authentik's, the clouds'.
    // Credentials, such as Authorization, are the backend's business.
    private static readonly ImmutableArray<string> IdentityPrefixes =
    [
        "X-OpenClaw-", "X-Device-", "X-ProxyGateway-", "X-Auth-Request-", "X-Authenticated-", "X-Authentik-", "X-Webauth-", "X-Remote-", "Remote-",
        "X-Goog-Authenticated-", "X-Ms-Client-",
    ];

    private static readonly FrozenSet<string> IdentityHeaders = FrozenSet.Create(StringComparer.OrdinalIgnoreCase, "X-User", "X-User-Id", "X-Client-IP");

    // What a trusted proxy may say; it stands for what it has seen.
    private const string Forwarded = "Forwarded";
    private const string ForwardedPrefix = "X-Forwarded-";

    /// <summary>Removes them, however they are spelled: some servers on the way take an underscore for a hyphen.</summary>
    /// <param name="headers">The request's headers.</param>
    /// <param name="isTrustedProxy">Whether the peer's word on whom it forwards for is taken.</param>
    public static void Remove(IHeaderDictionary headers, bool isTrustedProxy)
    {
        List<string>? removed = null;
        foreach ((string name, _) in headers)
        {
            string spelled = name.Replace('_', '-');
            bool isForwarding = LocalityReader.TellsOfProxy(spelled);
            bool isKept = isTrustedProxy && isForwarding && name == spelled
                && (spelled.Equals(Forwarded, StringComparison.OrdinalIgnoreCase) || spelled.StartsWith(ForwardedPrefix, StringComparison.OrdinalIgnoreCase));
            if ((isForwarding && !isKept) || TellsWhoItIs(spelled))
                (removed ??= []).Add(name);
        }

        foreach (string name in removed ?? [])
            headers.Remove(name);
    }

    private static bool TellsWhoItIs(string spelled)
    {
        foreach (string prefix in IdentityPrefixes)
        {
            if (spelled.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return IdentityHeaders.Contains(spelled);
    }
}
