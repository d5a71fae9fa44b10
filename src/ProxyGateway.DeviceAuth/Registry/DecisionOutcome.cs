namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The result of an operator's decision.</summary>
public enum DecisionOutcome
{
    /// <summary>Decided.</summary>
    Done,

    /// <summary>The same decision was made before; nothing changed.</summary>
    AlreadyDone,

    /// <summary>The request was decided differently, has expired, or is covered by another approval.</summary>
    AlreadyResolved,

    /// <summary>There is no such request, device, grant or block.</summary>
    NotFound,

    /// <summary>The requested scopes do not cover the named ones.</summary>
    WiderThanAsked,

    /// <summary>The operator's ceiling does not allow the grant.</summary>
    AboveCeiling,

    /// <summary>The named end of the grant is not in the future.</summary>
    UntilIsPast,

    /// <summary>An end was named for the request, and the device holds the role without one: it would lose its grant.</summary>
    HeldWithoutEnd,

    /// <summary>The record no longer has the version that the operator saw.</summary>
    OtherVersion,
}
