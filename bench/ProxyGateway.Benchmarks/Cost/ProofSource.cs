using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Testing;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>Devices that make proofs, and the nonce that they have got.</summary>
internal sealed class ProofSource : IDisposable
{
    private const int Devices = 50;
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(30);

    private readonly HttpClient _http = new();
    private readonly ProofSigner[] _devices;
    private string[] _tokens = [];
    private readonly Credential _credential;
    private readonly Uri _gate;
    private volatile Task<(string Nonce, long At)> _nonce;

    private ProofSource(int port, Credential credential)
    {
        (_gate, _credential) = (new Uri($"http://localhost:{port}"), credential);
        _devices = [.. Enumerable.Range(0, Devices).Select(_ => credential is Credential.Es256 or Credential.Forged ? ProofSigner.WithP256() : ProofSigner.WithEd25519())];
        _nonce = AskForNonceAsync();
    }

    public static async Task<ProofSource> CreateAsync(int port, Credential credential)
    {
        var source = new ProofSource(port, credential);
        await source._nonce;
        if (credential == Credential.Token)
            source._tokens = await Task.WhenAll(Enumerable.Range(0, Devices).Select(source.AskForTokenAsync));
        return source;
    }

    /// <summary>Adds what the request shows.</summary>
    public async Task ShowAsync(HttpRequestMessage request, int number)
    {
        if (_credential == Credential.Token)
            request.Headers.Add("Device-Session", _tokens[number % Devices]);
        else
            request.Headers.Add("Device-Proof", await ProveAsync(request.Method.Method, request.RequestUri!, number));
    }

    public async Task<string> ProveAsync(string method, Uri url, int number)
    {
        (string nonce, long at) = await _nonce;
        if (Stopwatch.GetElapsedTime(at) > Fresh)
        {
            _nonce = AskForNonceAsync(); // several may ask: that is a few requests in half a minute
            (nonce, _) = await _nonce;
        }

        string proof = _devices[number % Devices].Prove(method, url, nonce);
        if (_credential != Credential.Forged)
            return proof;
        string other = _devices[(number + 1) % Devices].Prove(method, url, nonce);
        return proof[..proof.LastIndexOf('.')] + other[other.LastIndexOf('.')..];
    }

    public void Dispose()
    {
        _http.Dispose();
        foreach (ProofSigner device in _devices)
            device.Dispose();
    }

    private async Task<string> AskForTokenAsync(int number)
    {
        var url = new Uri(_gate, "/.well-known/proxygateway/session");
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = JsonContent.Create(new { route = "proof" }) };
        request.Headers.Add("Device-Proof", await ProveAsync("POST", url, number));
        using HttpResponseMessage answer = await _http.SendAsync(request);
        answer.EnsureSuccessStatusCode();
        return (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("token").GetString()!;
    }

    private async Task<(string Nonce, long At)> AskForNonceAsync()
    {
        using HttpResponseMessage answer = await _http.GetAsync(new Uri(_gate, "/.well-known/proxygateway/nonce"));
        answer.EnsureSuccessStatusCode();
        return (answer.Headers.GetValues("Device-Nonce").Single(), Stopwatch.GetTimestamp());
    }
}
