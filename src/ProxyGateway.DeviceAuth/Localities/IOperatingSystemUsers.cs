namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>The users of this machine.</summary>
internal interface IOperatingSystemUsers
{
    /// <summary>The numeric id of the user that this process runs as; null where users have no numeric ids.</summary>
    uint? CurrentId { get; }

    /// <summary>The numeric id of the user with this name; null if there is none.</summary>
    uint? FindId(string name);
}
