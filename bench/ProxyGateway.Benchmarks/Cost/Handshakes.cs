using System.Globalization;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>Connections that are opened, proved and closed, a number at a time.</summary>
internal sealed class Handshakes(string name, string title) : Workload(name, title)
{
    public override async Task<Measurement> MeasureAsync(Peer peer, RunningAgent agent, TimeSpan duration)
    {
        HandshakeStorm storm = await HandshakeStorm.RunAsync(peer, areForged: false, duration);
        return new Measurement(storm.Microseconds, peer.Registry is null ? null : string.Create(
            CultureInfo.InvariantCulture, $"its Redis used {storm.RegistryMicroseconds:N0} µs a handshake besides"));
    }
}

/// <summary>The same with forged proofs, all of which are refused.</summary>
internal sealed class Refusals(string name, string title) : Workload(name, title)
{
    public override bool IsOfTheGateOnly => true;

    public override async Task<Measurement> MeasureAsync(Peer peer, RunningAgent agent, TimeSpan duration)
    {
        HandshakeStorm before = await HandshakeStorm.RunAsync(peer, areForged: false, duration);
        AgentCounts agentBefore = await agent.CountsAsync();
        HandshakeStorm refused = await HandshakeStorm.RunAsync(peer, areForged: true, duration);
        AgentCounts seen = await agent.CountsAsync() - agentBefore;
        HandshakeStorm after = await HandshakeStorm.RunAsync(peer, areForged: false, duration);
        double admitted = (before.Microseconds + after.Microseconds) / 2; // so that a machine that gets slower or faster favours neither
        return new Measurement(refused.Microseconds, string.Create(
            CultureInfo.InvariantCulture,
            $"{refused.Microseconds / admitted:N2} of what admitting a device costs; of {refused.Done:N0} strangers the agent saw "
                + $"{seen.Connections:N0} connections, which the challenges come from, and {seen.Messages:N0} messages"));
    }
}
