namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>Why an invitation that a device has shown does not bring it in.</summary>
public enum InvitationFault
{
    /// <summary>There is none with this secret: it has expired, was withdrawn, or never was.</summary>
    Unknown,

    /// <summary>It was used as often as it can be.</summary>
    UsedUp,

    /// <summary>It is for another audience or role, or for fewer scopes than the device asks for.</summary>
    OtherGrant,

    /// <summary>
    /// It does not change what an operator has decided about this device: a refusal, or a grant in this role.
    /// </summary>
    DecidedOtherwise,
}
