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
