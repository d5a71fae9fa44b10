using System.Collections.Frozen;
using System.Net.Http.Headers;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>
/// The headers by which the gate tells a backend who a device is, and those by which a device tells the gate. A backend believes the former: a client that
/// could send one would be any device. A backend that reads one of the latter could be that device at the gate.
/// </summary>
internal static class IdentityHeaders
{
    /// <summary>The device's id.</summary>
    public const string DeviceId = "X-Device-Id";

    /// <summary>The role of the admission.</summary>
    public const string Role = "X-Device-Role";

    /// <summary>The scopes of the admission, separated by spaces.</summary>
    public const string Scopes = "X-Device-Scopes";

    /// <summary>The audience of the admission.</summary>
    public const string Audience = "X-Device-Audience";

    private static readonly FrozenSet<string> OfBackends = FrozenSet.Create(HeaderSpelling.Lax, DeviceId, Role, Scopes, Audience);

    /// <summary>All of them.</summary>
    public static FrozenSet<string> All { get; } =
        FrozenSet.Create(HeaderSpelling.Lax, [.. OfBackends, ProofNames.ProofHeader, ProofNames.SessionHeader, ProofNames.NonceHeader]);

    /// <summary>The header of a route's proofs, where its metadata names it.</summary>
    public static string? ProofHeaderOf(RouteConfig route) => route.Metadata?.GetValueOrDefault(DeviceAuthDefaults.ProofHeaderMetadata);

    /// <summary>Removes what the transforms of a route have put in the place of the gate's own headers.</summary>
    /// <param name="headers">The headers for the backend.</param>
    public static void Remove(HttpRequestHeaders headers) => Remove(headers, OfBackends.Contains);

    /// <summary>Removes a header, in every spelling.</summary>
    /// <param name="headers">The headers for the backend.</param>
    /// <param name="name">The header.</param>
    public static void Remove(HttpRequestHeaders headers, string name) => Remove(headers, other => HeaderSpelling.Lax.Equals(other, name));

    private static void Remove(HttpRequestHeaders headers, Func<string, bool> isOne)
    {
        List<string>? removed = null;
        foreach ((string name, _) in headers.NonValidated)
        {
            if (isOne(name))
                (removed ??= []).Add(name);
        }

        foreach (string name in removed ?? [])
            headers.Remove(name);
    }
}
