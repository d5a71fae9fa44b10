using System.Globalization;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>WebSockets that are opened and closed, 32 at a time; before a gate with a proof in each upgrade.</summary>
/// <param name="name">Its name on the command line.</param>
/// <param name="title">Its name in the table.</param>
/// <param name="credential">What the upgrades show.</param>
internal sealed class ProvenSockets(string name, string title, Credential credential) : Workload(name, title)
{
    private const int AtATime = 32;
    private const string Path = "/proof/socket";

    public override bool Fits(PeerKind kind) => kind.Name == PeerKind.Gate || !kind.IsGate;

    public override bool NeedsWarmUp => true;

    public override async Task<Measurement> MeasureAsync(Peer peer, RunningAgent agent, TimeSpan duration)
    {
        using ProofSource? proofs = peer.Name == PeerKind.Gate ? await ProofSource.CreateAsync(peer.Port, credential) : null;
        var window = new LoadWindow(peer);
        Task<long>[] clients = [.. Enumerable.Range(0, AtATime).Select(number => Task.Run(() => OpenAsync(peer, window, proofs, number)))];
        await window.PassAsync(duration);
        long counted = (await Task.WhenAll(clients)).Sum();
        double registry = window.RegistryTime.TotalMicroseconds / counted;
        return new Measurement(
            (window.ProcessorTime.TotalMicroseconds / counted) + registry,
            peer.Registry is null ? null : string.Create(CultureInfo.InvariantCulture, $"of which its Redis used {registry:N0} µs"));
    }

    private async Task<long> OpenAsync(Peer peer, LoadWindow window, ProofSource? proofs, int number)
    {
        var url = new Uri($"http://localhost:{peer.Port}{Path}");
        long counted = 0;
        while (!window.IsOver)
        {
            using RawClient client = await RawClient.ConnectAsync(peer.Port);
            int status = await client.UpgradeAsync(path: Path, proof: proofs is null ? null : await proofs.ProveAsync("GET", url, number));
            if (status != 101)
                throw new InvalidOperationException($"{peer.Name}, {Name}: {status}");
            await client.CloseAsync();
            if (window.IsOpen)
                counted++;
        }

        return counted;
    }
}
