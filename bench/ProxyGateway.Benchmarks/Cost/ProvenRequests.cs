using System.Globalization;
using System.Net;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>
/// Requests on kept connections, 32 at a time, that show their devices to a gate; to others they are plain requests. The figure is what the peer and its
/// registry have used.
/// </summary>
/// <param name="name">Its name on the command line.</param>
/// <param name="title">Its name in the table.</param>
/// <param name="credential">What the requests show.</param>
/// <param name="isStreamed">Whether each is a POST that is answered in parts.</param>
internal sealed class ProvenRequests(string name, string title, Credential credential, bool isStreamed = false) : Workload(name, title)
{
    public const string Page = "/proof/page";
    public const string Stream = "/proof/stream";

    private const int AtATime = 32;

    public override bool IsOfTheGateOnly => credential == Credential.Forged;

    public override bool Fits(PeerKind kind) => kind.Name == PeerKind.Gate || (!kind.IsGate && !IsOfTheGateOnly);

    public override bool NeedsWarmUp => true;

    public override async Task<Measurement> MeasureAsync(Peer peer, RunningAgent agent, TimeSpan duration)
    {
        using ProofSource? proofs = peer.Name == PeerKind.Gate ? await ProofSource.CreateAsync(peer.Port, credential) : null;
        var window = new LoadWindow(peer);
        Task<long>[] clients = [.. Enumerable.Range(0, AtATime).Select(number => Task.Run(() => AskAsync(peer, window, proofs, number)))];
        await window.PassAsync(duration);
        long counted = (await Task.WhenAll(clients)).Sum();
        double registry = window.RegistryTime.TotalMicroseconds / counted;
        return new Measurement(
            (window.ProcessorTime.TotalMicroseconds / counted) + registry,
            peer.Registry is null ? null : string.Create(CultureInfo.InvariantCulture, $"of which its Redis used {registry:N0} µs"));
    }

    private async Task<long> AskAsync(Peer peer, LoadWindow window, ProofSource? proofs, int number)
    {
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 1 });
        var url = new Uri($"http://localhost:{peer.Port}{(isStreamed ? Stream : Page)}");
        byte[] body = new byte[1024];
        long counted = 0;
        while (!window.IsOver)
        {
            using var request = new HttpRequestMessage(isStreamed ? HttpMethod.Post : HttpMethod.Get, url);
            if (isStreamed)
                request.Content = new ByteArrayContent(body);
            if (proofs is not null)
                await proofs.ShowAsync(request, number);
            using HttpResponseMessage answer = await http.SendAsync(request);
            await answer.Content.CopyToAsync(System.IO.Stream.Null);
            HttpStatusCode expected = credential == Credential.Forged ? HttpStatusCode.Unauthorized : HttpStatusCode.OK;
            if (answer.StatusCode != expected)
                throw new InvalidOperationException($"{peer.Name}, {Name}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
            if (window.IsOpen)
                counted++;
        }

        return counted;
    }
}
