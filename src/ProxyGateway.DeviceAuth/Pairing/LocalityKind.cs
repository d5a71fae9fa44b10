using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>The origin of a connection, as operators see it.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<LocalityKind>))]
public enum LocalityKind
{
    /// <summary>Any other address, or an unknown one.</summary>
    [JsonStringEnumMemberName("remote")]
    Remote,

    /// <summary>From a network that a rule names.</summary>
    [JsonStringEnumMemberName("network")]
    Network,

    /// <summary>From a process on this machine, by its address, its <c>Host</c> and the absence of any sign of a proxy.</summary>
    [JsonStringEnumMemberName("loopback")]
    Loopback,
}
