namespace ProxyGateway.Benchmarks.Cost;

/// <summary>What an agent has seen since it started.</summary>
/// <param name="Connections">Upgrades.</param>
/// <param name="Messages">Whole messages of those connections.</param>
internal sealed record AgentCounts(long Connections, long Messages)
{
    public static AgentCounts operator -(AgentCounts after, AgentCounts before) =>
        new(after.Connections - before.Connections, after.Messages - before.Messages);
}
