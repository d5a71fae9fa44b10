namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The result of taking back a rule's approvals.</summary>
/// <param name="Removed">Devices that held nothing else, and were removed.</param>
/// <param name="Narrowed">Devices that hold something else, and lost only the rule's part.</param>
public sealed record RemovedByRule(int Removed, int Narrowed)
{
    /// <summary>
    /// Devices that were not changed because their documents have a newer format: this gateway cannot know whether the rule approved them.
    /// </summary>
    public int NewerFormat { get; init; }

    /// <summary>The start of the next part; null if this was the last.</summary>
    public string? Next { get; init; }
}
