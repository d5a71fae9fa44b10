namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>The result of an import.</summary>
/// <param name="DryRun">Whether nothing was changed, and this is only what would be.</param>
/// <param name="Items">The result for each device, in the order in which they were given.</param>
public sealed record ImportView(bool DryRun, IReadOnlyList<ImportItemView> Items);
