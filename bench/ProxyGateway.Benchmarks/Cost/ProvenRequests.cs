using System.Net;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>Requests on kept connections, 32 at a time, that show their devices to a gate; to others they are plain requests.</summary>
/// <param name="name">Its name on the command line.</param>
/// <param name="title">Its name in the table.</param>
/// <param name="credential">What the requests show.</param>
/// <param name="isStreamed">Whether each is a POST that is answered in parts.</param>
internal sealed class ProvenRequests(string name, string title, Credential credential, bool isStreamed = false) : ProvenWorkload(name, title, credential)
{
    public const string Page = "/proof/page";
    public const string Idle = "/proof/idle";
    public const string Stream = "/proof/stream";

    public override bool IsOfTheGateOnly => Credential == Credential.Forged;

    protected override async Task<long> LoadAsync(Peer peer, LoadWindow window, ProofSource? proofs, int number)
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
            HttpStatusCode expected = Credential == Credential.Forged ? HttpStatusCode.Unauthorized : HttpStatusCode.OK;
            if (answer.StatusCode != expected)
                throw new InvalidOperationException($"{peer.Name}, {Name}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
            if (window.IsOpen)
                counted++;
        }

        return counted;
    }
}
