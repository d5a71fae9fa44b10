namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>How devices are treated that another gateway paired without storing roles or scopes.</summary>
public enum LegacyDevices
{
    /// <summary>A missing scope or role is an upgrade like any other.</summary>
    Upgrade,

    /// <summary>An operator must approve them again; no rule can.</summary>
    RePair,
}
