namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What became of the devices that a rule had approved.</summary>
/// <param name="Removed">Devices that held nothing else, and are removed.</param>
/// <param name="Narrowed">Devices that hold something else, and lost what was the rule's.</param>
public sealed record RemovedByRule(int Removed, int Narrowed)
{
    /// <summary>Devices that were left as they are, as their documents have a newer format: this gateway cannot tell whether the rule approved them.</summary>
    public int NewerFormat { get; init; }

    /// <summary>Where the next part begins; null if this was the last.</summary>
    public string? Next { get; init; }
}
