namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>What became of a pairing request.</summary>
internal enum PairingResolution
{
    /// <summary>An operator approved it, or a part of it; or the device is admitted by now in another way.</summary>
    Approved,

    /// <summary>An operator rejected it, or removed or blocked the device.</summary>
    Rejected,

    /// <summary>Nobody decided in time.</summary>
    Expired,

    /// <summary>It is not there any more, and the device must ask again.</summary>
    Superseded,
}
