namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>What becomes of devices that another gateway paired without keeping roles or scopes.</summary>
public enum LegacyDevices
{
    /// <summary>What is missing on record is an upgrade like any other: scopes a scope upgrade, a role a role upgrade.</summary>
    Upgrade,

    /// <summary>They must be approved again by an operator, whatever the rules say.</summary>
    RePair,
}
