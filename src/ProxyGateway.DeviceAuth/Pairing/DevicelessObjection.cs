namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>What speaks against admitting a client that has no device.</summary>
internal enum DevicelessObjection
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>It does not come from loopback.</summary>
    NotLoopback,

    /// <summary>It is a browser.</summary>
    Browser,

    /// <summary>Nobody can tell which operating-system user it is.</summary>
    UnknownUser,

    /// <summary>It is a user whom the rule does not name.</summary>
    OtherUser,

    /// <summary>It has not shown the shared token.</summary>
    SharedToken,

    /// <summary>It says that it acts for somebody else.</summary>
    ActsForAnother,

    /// <summary>The rule does not name the audience of its route.</summary>
    Audience,

    /// <summary>The rule does not name its role.</summary>
    Role,

    /// <summary>It asks for scopes that the rule's do not cover.</summary>
    Scopes,

    /// <summary>The application has admission filters, which decide about devices.</summary>
    AdmissionFilters,
}
