namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Devices of another gateway.</summary>
public sealed record ImportBody
{
    /// <summary>Whether only to report what would happen.</summary>
    public bool DryRun { get; init; }

    /// <summary>The devices.</summary>
    public required IReadOnlyList<ImportDeviceBody> Devices { get; init; }
}
