namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>Whether an invitation was made.</summary>
public enum InvitationOutcome
{
    /// <summary>It was.</summary>
    Done,

    /// <summary>The operator's ceiling does not allow the grant.</summary>
    AboveCeiling,

    /// <summary>As many invitations are open as the registry keeps.</summary>
    TooMany,

    /// <summary>The scopes have too many bytes for an invitation.</summary>
    TooLarge,
}
