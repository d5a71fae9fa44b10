namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What became of an imported device.</summary>
public enum ImportOutcome
{
    /// <summary>It is paired now, and was not.</summary>
    Added,

    /// <summary>It was paired, and holds more now, or holds by an operator's approval what it held by a rule's.</summary>
    Extended,

    /// <summary>It holds all of that already.</summary>
    Unchanged,

    /// <summary>The operator's ceiling does not allow all of it; nothing of it was taken.</summary>
    AboveCeiling,

    /// <summary>An operator has removed the device, or said no to one of the roles; nothing of it was taken.</summary>
    RefusedBefore,

    /// <summary>An operator has blocked the device.</summary>
    Blocked,

    /// <summary>The end of a grant is past.</summary>
    UntilIsPast,

    /// <summary>What is on record of the device has a format that this gateway does not know; nothing was taken.</summary>
    NewerFormat,
}
