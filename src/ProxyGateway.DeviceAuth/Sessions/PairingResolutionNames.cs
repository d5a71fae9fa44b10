namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>The names of decisions on the wire.</summary>
internal static class PairingResolutionNames
{
    public static string ToWireName(this PairingResolution resolution) => resolution switch
    {
        PairingResolution.Approved => "approved",
        PairingResolution.Rejected => "rejected",
        PairingResolution.Expired => "expired",
        PairingResolution.Superseded => "superseded",
        _ => throw new ArgumentOutOfRangeException(nameof(resolution), resolution, message: null),
    };
}
