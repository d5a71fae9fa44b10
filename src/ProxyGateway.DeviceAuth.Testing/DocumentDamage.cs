namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>Kinds of damage of a device's stored document.</summary>
public enum DocumentDamage
{
    /// <summary>It is truncated.</summary>
    NotJson,

    /// <summary>It is the JSON value null.</summary>
    Null,

    /// <summary>The version in it differs from the one that the store keeps beside it.</summary>
    AnotherVersion,

    /// <summary>It belongs to another device.</summary>
    AnotherDevice,

    /// <summary>One of its grants is null.</summary>
    NullGrant,

    /// <summary>One of its requests is null.</summary>
    NullRequest,

    /// <summary>In its place is a value that is no document: of another type, or empty.</summary>
    ForeignValue,

    /// <summary>It is not damaged, but has a format that only a newer gateway reads.</summary>
    NewerFormat,
}
