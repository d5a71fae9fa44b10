namespace ProxyGateway.Benchmarks.Cost;

/// <summary>Sessions on which nothing happens: the memory of one.</summary>
internal sealed class Idling(string name, string title, int count) : Workload(name, title)
{
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(5);

    public override bool NeedsFreshPeer => true;

    public override async Task<Measurement> MeasureAsync(Peer peer, RunningAgent agent, TimeSpan duration)
    {
        using (await OpenConnections.OpenAsync(peer, count: 300, atATime: 8))
        {
            // So that what is loaded and compiled for the first ones is there.
        }

        await Task.Delay(TimeSpan.FromSeconds(1));
        long before = peer.ResidentBytes();
        using OpenConnections connections = await OpenConnections.OpenAsync(peer, count, atATime: 32);
        if (connections.Failed > 0)
            throw new InvalidOperationException($"{peer.Name}, {Name}: {connections.DescribeFailures()}");
        await Task.Delay(Settling);
        return new Measurement((peer.ResidentBytes() - before) / (double)count);
    }
}
