namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>What can be wrong with the stored document of a device.</summary>
public enum DocumentDamage
{
    /// <summary>It is cut off.</summary>
    NotJson,

    /// <summary>It is the JSON value null.</summary>
    Null,

    /// <summary>The version in it is not the one that the store keeps beside it.</summary>
    AnotherVersion,

    /// <summary>It is another device's.</summary>
    AnotherDevice,

    /// <summary>One of its grants is null.</summary>
    NullGrant,

    /// <summary>One of its requests is null.</summary>
    NullRequest,

    /// <summary>In its place is something that is no document: of another type, or nothing at all.</summary>
    ForeignValue,

    /// <summary>It is whole, and of a format that only a newer gateway reads.</summary>
    NewerFormat,
}
