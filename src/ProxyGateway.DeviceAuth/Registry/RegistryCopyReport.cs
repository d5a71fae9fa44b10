using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What was copied.</summary>
public sealed record RegistryCopyReport
{
    /// <summary>A device that the target holds and the source does not, or in another version: nothing was written then.</summary>
    public DeviceId? Obstacle { get; init; }

    /// <summary>Devices on record.</summary>
    public int Devices { get; init; }

    /// <summary>Those of them for which something is approved.</summary>
    public int Paired { get; init; }

    /// <summary>Those of them with an operator's no on record; removed devices are among these.</summary>
    public int Refused { get; init; }

    /// <summary>Open pairing requests.</summary>
    public int Requests { get; init; }
}
