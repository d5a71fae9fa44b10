using System.Net;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>Where a connection comes from, in the coarse terms that operators see.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<LocalityKind>))]
public enum LocalityKind
{
    /// <summary>From elsewhere, or from somewhere that cannot be told.</summary>
    [JsonStringEnumMemberName("remote")]
    Remote,

    /// <summary>From a network that a rule names.</summary>
    [JsonStringEnumMemberName("network")]
    Network,

    /// <summary>From a process on this machine, by its address, its <c>Host</c> and the absence of any sign of a proxy.</summary>
    [JsonStringEnumMemberName("loopback")]
    Loopback,
}

/// <summary>Where a connection comes from, as far as the policy is concerned.</summary>
/// <param name="IsLoopback">Whether every condition for loopback holds.</param>
/// <param name="Address">The client's address for CIDR rules; null if it cannot be told, and for loopback addresses, which no CIDR rule may match.</param>
/// <param name="IsBrowser">Whether the request carried an <c>Origin</c>, as browsers' requests do.</param>
/// <param name="Peer">The operating-system user at the other end of a loopback socket.</param>
public sealed record Locality(bool IsLoopback, IPAddress? Address = null, bool IsBrowser = false, PeerUser Peer = default);

/// <summary>The operating-system user who owns the other end of a loopback socket.</summary>
/// <param name="State">Whether it was looked up, and with what success.</param>
/// <param name="UserId">The numeric user id; meaningful if <see cref="PeerUserState.Known"/>.</param>
public readonly record struct PeerUser(PeerUserState State, uint UserId = 0)
{
    /// <summary>The user with this id.</summary>
    public static PeerUser Known(uint userId) => new(PeerUserState.Known, userId);

    /// <summary>Nobody can tell who it is, so no rule that names users matches.</summary>
    public static PeerUser Unknown { get; } = new(PeerUserState.Unknown);
}

/// <summary>How much is known of a <see cref="PeerUser"/>.</summary>
public enum PeerUserState
{
    /// <summary>Nobody asked yet.</summary>
    NotLookedUp,

    /// <summary>Asked, and it cannot be told.</summary>
    Unknown,

    /// <summary>Asked and told.</summary>
    Known,
}
