using System.Globalization;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>Something that shows its devices to a gate, 32 at a time, and to others is plain. The figure is what the peer and its registry have used for one.</summary>
/// <param name="name">Its name on the command line.</param>
/// <param name="title">Its name in the table.</param>
/// <param name="credential">What is shown.</param>
internal abstract class ProvenWorkload(string name, string title, Credential credential) : Workload(name, title)
{
    private const int AtATime = 32;

    protected Credential Credential => credential;

    public override bool Fits(PeerKind kind) => kind.IsGate || !IsOfTheGateOnly;

    public override bool NeedsWarmUp => true;

    public override async Task<Measurement> MeasureAsync(Peer peer, RunningAgent agent, TimeSpan duration)
    {
        using ProofSource? proofs = PeerKind.IsGateNamed(peer.Name) ? await ProofSource.CreateAsync(peer.Port, credential) : null;
        var window = new LoadWindow(peer);
        Task<long>[] clients = [.. Enumerable.Range(0, AtATime).Select(number => Task.Run(() => LoadAsync(peer, window, proofs, number)))];
        await window.PassAsync(duration);
        long counted = (await Task.WhenAll(clients)).Sum();
        double registry = window.RegistryTime.TotalMicroseconds / counted;
        return new Measurement(
            (window.ProcessorTime.TotalMicroseconds / counted) + registry,
            peer.Registry is null ? null : string.Create(CultureInfo.InvariantCulture, $"of which its Redis used {registry:N0} µs"));
    }

    /// <summary>Makes the load of one client until the window is over; how much of it counted.</summary>
    protected abstract Task<long> LoadAsync(Peer peer, LoadWindow window, ProofSource? proofs, int number);
}
