using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The result of a copy.</summary>
public sealed record RegistryCopyReport
{
    /// <summary>A device that the target holds and the source does not, or in another version: then nothing was written.</summary>
    public DeviceId? Obstacle { get; init; }

    /// <summary>All devices.</summary>
    public int Devices { get; init; }

    /// <summary>Devices for which something is approved.</summary>
    public int Paired { get; init; }

    /// <summary>Devices with an operator's refusal, including removed devices.</summary>
    public int Refused { get; init; }

    /// <summary>Open pairing requests.</summary>
    public int Requests { get; init; }
}
