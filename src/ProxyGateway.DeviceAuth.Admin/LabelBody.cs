namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>What operators call a device.</summary>
internal sealed record LabelBody
{
    /// <summary>The name.</summary>
    public required string Label { get; init; }
}
