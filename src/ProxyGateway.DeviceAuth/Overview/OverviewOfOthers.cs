namespace ProxyGateway.DeviceAuth.Overview;

/// <summary>What another process has counted in one hour.</summary>
/// <param name="Name">The name of its document: the process and the hour.</param>
/// <param name="Counted">The document.</param>
/// <param name="Age">How long ago it was written when it was read, by the registry's clock.</param>
internal sealed record OverviewOfOthers(string Name, StoredOverview Counted, TimeSpan Age)
{
    /// <summary>The process.</summary>
    public string Process => Name[..Math.Max(0, Name.IndexOf('-', StringComparison.Ordinal))];
}
