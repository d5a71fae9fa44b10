namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>What became of the devices that a rule had approved.</summary>
/// <param name="DryRun">Whether this is only what would become of them.</param>
/// <param name="Removed">Devices that held nothing else.</param>
/// <param name="Narrowed">Devices that hold something else.</param>
/// <param name="Next">The cursor of the next part; absent if this was the last.</param>
/// <param name="NewerFormat">Devices that were left as they are, as a newer gateway wrote their documents; absent if there were none.</param>
internal sealed record RemovedByRuleView(bool DryRun, int Removed, int Narrowed, string? Next = null, int? NewerFormat = null);
