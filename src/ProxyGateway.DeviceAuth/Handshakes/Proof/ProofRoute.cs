using System.Runtime.CompilerServices;
using ProxyGateway.DeviceAuth.Pairing;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>What a route's metadata says about proofs.</summary>
/// <param name="Role">The role of a proof that names none.</param>
/// <param name="Scopes">The scopes of a proof that names none; a claim that does not cover them is refused.</param>
/// <param name="IsDPoP">Whether the proof comes in the standard's header, for clients that know no other.</param>
internal sealed record ProofRoute(string Role, ScopeSet Scopes, bool IsDPoP)
{
    private static readonly ConditionalWeakTable<RouteConfig, ProofRoute> Known = [];

    /// <summary>The audience of the route.</summary>
    public Audience Audience { get; init; }

    /// <summary>Whether a session token is taken in place of a proof.</summary>
    public bool TakesSessionTokens { get; init; }

    /// <summary>The header of the proof.</summary>
    public string ProofHeader => IsDPoP ? ProofNames.DPoP : ProofNames.ProofHeader;

    /// <summary>The header of the gateway's nonce.</summary>
    public string NonceHeader => IsDPoP ? ProofNames.DPoPNonceHeader : ProofNames.NonceHeader;

    /// <summary>The scheme in <c>WWW-Authenticate</c>.</summary>
    public string Scheme => IsDPoP ? ProofNames.DPoP : ProofNames.Scheme;

    /// <summary>The route's; read once for each route.</summary>
    /// <exception cref="InvalidOperationException">Its metadata is malformed, which no route that was loaded has.</exception>
    public static ProofRoute Of(RouteConfig route) => Known.GetValue(route, static route => Read(route.Metadata));

    private static ProofRoute Read(IReadOnlyDictionary<string, string>? metadata)
    {
        string role = metadata?.GetValueOrDefault(DeviceAuthDefaults.RoleMetadata) ?? DeviceAuthDefaults.ProofRole;
        if (!ScopeSet.IsValidName(role) || !ScopeText.TryRead(metadata?.GetValueOrDefault(DeviceAuthDefaults.ScopesMetadata), out ScopeSet? scopes))
            throw new InvalidOperationException("The route's role or scopes are malformed.");
        return new ProofRoute(role, scopes ?? ScopeSet.Empty, metadata?.GetValueOrDefault(DeviceAuthDefaults.ProofHeaderMetadata) == ProofNames.DPoP)
        {
            Audience = metadata?.GetValueOrDefault(DeviceAuthDefaults.AudienceMetadata) is { } audience ? Audience.Parse(audience) : Audience.Default,
            TakesSessionTokens = metadata?.GetValueOrDefault(DeviceAuthDefaults.SessionTokensMetadata) == "Allow",
        };
    }
}
