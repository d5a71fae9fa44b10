namespace ProxyGateway.Benchmarks.Cost;

/// <summary>Devices that come, are admitted and go, or strangers who are refused: a number at a time, without a pause.</summary>
/// <param name="Done">All handshakes.</param>
/// <param name="Microseconds">What one took of the peer, in those that count.</param>
/// <param name="RegistryMicroseconds">What one took of its registry.</param>
internal sealed record HandshakeStorm(long Done, double Microseconds, double RegistryMicroseconds)
{
    private const int AtATime = 32;

    /// <exception cref="InvalidOperationException">A device was refused, or a stranger was not.</exception>
    public static async Task<HandshakeStorm> RunAsync(Peer peer, bool areForged, TimeSpan duration)
    {
        var window = new LoadWindow(peer);
        Task<(long Done, long Counted)>[] clients =
            [.. Enumerable.Range(0, AtATime).Select(first => Task.Run(() => ComeAndGoAsync(peer, areForged, window, first)))];
        await window.PassAsync(duration);
        (long Done, long Counted)[] all = await Task.WhenAll(clients);
        long counted = all.Sum(c => c.Counted);
        return new HandshakeStorm(
            all.Sum(c => c.Done), window.ProcessorTime.TotalMicroseconds / counted, window.RegistryTime.TotalMicroseconds / counted);
    }

    private static async Task<(long Done, long Counted)> ComeAndGoAsync(Peer peer, bool areForged, LoadWindow window, int first)
    {
        (long done, long counted) = (0, 0);
        for (int i = first; !window.IsOver; i += AtATime)
        {
            using RawClient client = await RawClient.ConnectAsync(peer.Port);
            if (await client.UpgradeAsync() != 101 || await client.ProveAsync(Workload.Device(i), areForged) == areForged)
                throw new InvalidOperationException($"{peer.Name} {(areForged ? "let a stranger in" : $"refused a device: {client.Refusal}")}.");
            await client.CloseAsync();
            done++;
            if (window.IsOpen)
                counted++;
        }

        return (done, counted);
    }
}
