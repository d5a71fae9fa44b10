namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The result of an import.</summary>
/// <param name="DryRun">Whether nothing was changed, and this only says what would happen.</param>
/// <param name="Items">The result for each device, in the given order.</param>
public sealed record ImportView(bool DryRun, IReadOnlyList<ImportItemView> Items);
