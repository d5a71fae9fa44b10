namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A device's new label.</summary>
public sealed record LabelBody
{
    /// <summary>The label.</summary>
    public required string Label { get; init; }
}
