namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What became of an operator's decision.</summary>
public enum DecisionOutcome
{
    /// <summary>Decided.</summary>
    Done,

    /// <summary>The same was decided before; nothing changed.</summary>
    AlreadyDone,

    /// <summary>It was decided otherwise, has expired, or is covered by another approval.</summary>
    AlreadyResolved,

    /// <summary>There is no such request, device, grant or block.</summary>
    NotFound,

    /// <summary>The scopes named are not covered by those that were asked for.</summary>
    WiderThanAsked,

    /// <summary>The operator's ceiling does not allow the grant.</summary>
    AboveCeiling,

    /// <summary>The end that was named for the grant is not in the future.</summary>
    UntilIsPast,

    /// <summary>An end was named for what the device asks for, and it holds the role without one: it would lose what it holds.</summary>
    HeldWithoutEnd,

    /// <summary>The record is not of the version that the operator has seen.</summary>
    OtherVersion,
}
