namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The result of taking back a rule's approvals.</summary>
/// <param name="DryRun">Whether nothing was changed.</param>
/// <param name="Removed">Devices that held nothing else.</param>
/// <param name="Narrowed">Devices that hold something else.</param>
/// <param name="Next">The cursor of the next part; absent if this was the last.</param>
/// <param name="NewerFormat">Devices that were not changed because a newer gateway wrote their documents; absent if there were
/// none.</param>
public sealed record RemovedByRuleView(bool DryRun, int Removed, int Narrowed, string? Next = null, int? NewerFormat = null);
