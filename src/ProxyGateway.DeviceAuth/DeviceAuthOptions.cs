using System.Collections.Immutable;
using System.Net;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth;

/// <summary>
/// The configuration of the gate: section <c>DeviceAuth</c>, read and validated. Immutable; a reload makes a new instance. No property
/// takes a
/// value out of its range: the application does not start with it (<see cref="Configuration.InvalidConfigurationException"/>), and a reload
/// with it is refused as a whole. A list must be set, and may be empty.
/// </summary>
public sealed record DeviceAuthOptions
{
    /// <summary>The configuration section.</summary>
    public const string SectionName = "DeviceAuth";

    /// <summary>The handshake of routes that do not name one: the name of a registered one, and not <c>Off</c>.</summary>
    public string Handshake { get; init; } = DeviceAuthDefaults.ConnectFrame;

    /// <summary>How long each side may take for its part of the handshake: more than zero, up to 10 minutes.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The maximum length of a message before admission, in bytes; 1 KiB to 16 MiB.</summary>
    public int MaxHandshakeBytes { get; init; } = 16 * 1024;

    /// <summary>How far a signature's time may be from now, earlier or later: more than zero, up to an hour.</summary>
    public TimeSpan SignatureSkew { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Whether gated routes without metadata about it pass requests that are not WebSocket upgrades.</summary>
    public HttpRequests HttpRequests { get; init; } = HttpRequests.Deny;

    /// <summary>
    /// Proxies whose <c>X-Forwarded-For</c> counts for CIDR rules; empty: none. A connection through them is never loopback.
    /// </summary>
    public ImmutableArray<IPNetwork> TrustedProxies { get; init; } = [];

    /// <summary>
    /// Origins, as browsers send them (<c>https://example.org</c>), whose pages may connect besides the gateway's own on loopback; empty:
    /// no others.
    /// </summary>
    public ImmutableArray<string> AllowedOrigins { get; init; } = [];

    /// <summary>
    /// The gateway's own origins, as clients see them (<c>https://gate.example.org</c>): the URL in a proof must begin with one. Empty: only origins on loopback are
    /// accepted. They are never taken from a request: a hostile site could pass on a proof that was made for it.
    /// </summary>
    public ImmutableArray<string> PublicOrigins { get; init; } = [];

    /// <summary>
    /// Further headers of a client's request that reach a backend behind the gate, such as credentials that the backend checks itself. The
    /// backend must not trust any of them as coming from a proxy: a client could send it. Each is 1 to 128 of A-Z a-z 0-9 . _ -, and never
    /// <c>Sec-WebSocket-Extensions</c>; empty: none.
    /// </summary>
    public ImmutableArray<string> RequestHeaders { get; init; } = ["Authorization", "Cookie"];

    /// <summary>
    /// The SHA-256 (32 bytes) of the token that a device needs to be approved or make a request, unless a grant covers its claim; empty: no
    /// token is needed.
    /// </summary>
    public ImmutableArray<byte> SharedTokenSha256 { get; init; } = [];

    /// <summary>OpenClaw gateways behind the gate at which it approves what it has granted, by the id of their cluster; empty: none.</summary>
    public ImmutableDictionary<string, OpenClawBackendOptions> OpenClawBackends { get; init; } = OpenClawBackendOptions.None;

    /// <summary>The time over which a stopping gateway spreads the closing of live sessions: 1 ms to an hour. Zero: at once.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Bounds on resources that strangers can use up.</summary>
    public DeviceAuthLimits Limits { get; init; } = new();

    /// <summary>The pairing policy.</summary>
    public PairingPolicy Policy { get; init; } = PairingPolicy.Default;

    /// <summary>How long a request waits for an operator, and stays readable once resolved: more than zero, up to 7 days.</summary>
    public TimeSpan RequestLifetime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How many requests may be open in the whole registry, until they are resolved or expire; 1 to 1,000,000.</summary>
    public int MaxPendingRequests { get; init; } = 1000;

    /// <summary>
    /// How long an operator's refusal is remembered for a device without a grant: at least <see cref="RequestLifetime"/>, up to 36,500
    /// days.
    /// </summary>
    public TimeSpan ForgetRemovedAfter { get; init; } = TimeSpan.FromDays(90);

    /// <summary>
    /// Devices that only rules have approved are forgotten if they were not seen for this long: an hour to 36,500 days; zero: never.
    /// </summary>
    public TimeSpan ForgetIdleAfter { get; init; }

    /// <summary>
    /// How the gateway makes sure that it receives every change in the registry: keys of the section <c>Registry</c>. Read at start only.
    /// </summary>
    public FreshnessOptions Freshness { get; init; } = new();

    /// <summary>Whether a connection that came under other options would still pass to its handshake, with the same locality.</summary>
    /// <param name="other">Those options.</param>
    internal bool HasTheSameDoor(DeviceAuthOptions other) => ReferenceEquals(this, other)
        || (TrustedProxies.SequenceEqual(other.TrustedProxies)
            && AllowedOrigins.SequenceEqual(other.AllowedOrigins, StringComparer.Ordinal)
            && PublicOrigins.SequenceEqual(other.PublicOrigins, StringComparer.Ordinal)
            && RequestHeaders.SequenceEqual(other.RequestHeaders, StringComparer.OrdinalIgnoreCase));

    /// <summary>The part of these options that the registry needs.</summary>
    public PairingRules PairingRules => new(
        Policy,
        new Lifetimes(RequestLifetime, ForgetRemovedAfter),
        new PendingLimits(MaxPendingRequests, Limits.PendingRequestsPerAddress)
        {
            PerSubnet = Math.Max(Limits.PendingRequestsPerSubnet, Limits.PendingRequestsPerAddress),

            // Strangers with any number of addresses leave a quarter for loopback and for devices that an operator has approved.
            RemoteStrangers = Math.Max(1, MaxPendingRequests / 2),
            NetworkStrangers = Math.Max(1, MaxPendingRequests / 4),
        });
}
