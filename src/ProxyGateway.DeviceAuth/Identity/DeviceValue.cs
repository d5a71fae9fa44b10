namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>What of an admitted device a header has.</summary>
internal enum DeviceValue
{
    /// <summary>The device's id.</summary>
    Id,

    /// <summary>The name that operators have given it.</summary>
    Label,

    /// <summary>The role of the admission.</summary>
    Role,

    /// <summary>The scopes of the admission, separated by spaces.</summary>
    Scopes,
}
