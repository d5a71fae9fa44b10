namespace ProxyGateway.Benchmarks.Cost;

/// <summary>WebSockets that are opened and closed, 32 at a time; before a gate with a proof in each upgrade.</summary>
/// <param name="name">Its name on the command line.</param>
/// <param name="title">Its name in the table.</param>
/// <param name="credential">What the upgrades show.</param>
internal sealed class ProvenSockets(string name, string title, Credential credential) : ProvenWorkload(name, title, credential)
{
    private const string Path = "/proof/socket";

    protected override async Task<long> LoadAsync(Peer peer, LoadWindow window, ProofSource? proofs, int number)
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
