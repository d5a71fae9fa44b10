using System.Collections.Immutable;
using System.Net;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth;

/// <summary>The configuration of the gate: section <c>DeviceAuth</c>, read and validated. Immutable; a reload makes another.</summary>
public sealed record DeviceAuthOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "DeviceAuth";

    /// <summary>The handshake of routes that do not name one; one that was added.</summary>
    public string Handshake { get; init; } = DeviceAuthDefaults.ConnectFrame;

    /// <summary>How long each side may take for its part of the handshake; up to 10 minutes.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a message may be before admission, in bytes; 1 KiB to 16 MiB.</summary>
    public int MaxHandshakeBytes { get; init; } = 16 * 1024;

    /// <summary>How far a signature's time may be from now, either way; up to an hour.</summary>
    public TimeSpan SignatureSkew { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Whether requests that are not WebSocket upgrades pass on gated routes that do not say.</summary>
    public HttpRequests HttpRequests { get; init; } = HttpRequests.Deny;

    /// <summary>Proxies whose <c>X-Forwarded-For</c> is believed, for CIDR rules. What they forward is never loopback.</summary>
    public ImmutableArray<IPNetwork> TrustedProxies { get; init; } = [];

    /// <summary>Origins, as browsers send them (<c>https://example.org</c>), whose pages may connect.</summary>
    public ImmutableArray<string> AllowedOrigins { get; init; } = [];

    /// <summary>
    /// Headers of a client's request that reach a backend behind the gate besides those that the request cannot do without, such as credentials
    /// that the backend checks itself. The backend must not take any of them for the word of a proxy.
    /// </summary>
    public ImmutableArray<string> RequestHeaders { get; init; } = ["Authorization", "Cookie"];

    /// <summary>The SHA-256 of a token without which a device that is not paired may not even ask; empty: anybody may ask.</summary>
    public ImmutableArray<byte> SharedTokenSha256 { get; init; } = [];

    /// <summary>Over how long the ends of live sessions are spread when the gateway stops; up to an hour. Zero: at once.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Bounds on what strangers can use up.</summary>
    public DeviceAuthLimits Limits { get; init; } = new();

    /// <summary>The pairing policy.</summary>
    public PairingPolicy Policy { get; init; } = PairingPolicy.Default;

    /// <summary>How long a request waits for an operator, and stays readable once resolved; up to 7 days.</summary>
    public TimeSpan RequestLifetime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How many requests may be open in all; 1 to 1,000,000.</summary>
    public int MaxPendingRequests { get; init; } = 1000;

    /// <summary>How long an operator's no is remembered for a device that holds no grant; at least <see cref="RequestLifetime"/>.</summary>
    public TimeSpan ForgetRemovedAfter { get; init; } = TimeSpan.FromDays(90);

    /// <summary>Devices that only rules have approved are forgotten if they were not seen for this long, an hour at least; zero: never.</summary>
    public TimeSpan ForgetIdleAfter { get; init; }

    /// <summary>How the gateway makes sure that it hears of every change in the registry: keys of the section <c>Registry</c>. Counts from the start on.</summary>
    public FreshnessOptions Freshness { get; init; } = new();

    /// <summary>Whether a connection that was let as far as the handshake under other options could still come, and as what it was taken for.</summary>
    /// <param name="other">Those options.</param>
    internal bool HasTheSameDoor(DeviceAuthOptions other) => ReferenceEquals(this, other)
        || (TrustedProxies.SequenceEqual(other.TrustedProxies) && AllowedOrigins.SequenceEqual(other.AllowedOrigins, StringComparer.Ordinal));

    /// <summary>What the registry needs of all this.</summary>
    public PairingRules PairingRules => new(
        Policy,
        new Lifetimes(RequestLifetime, ForgetRemovedAfter),
        new PendingLimits(MaxPendingRequests, Limits.PendingRequestsPerAddress)
        {
            PerSubnet = Math.Max(Limits.PendingRequestsPerSubnet, Limits.PendingRequestsPerAddress),

            // However many addresses strangers have, a quarter is left for loopback and for devices that an operator has approved.
            RemoteStrangers = Math.Max(1, MaxPendingRequests / 2),
            NetworkStrangers = Math.Max(1, MaxPendingRequests / 4),
        });
}
