using System.Net;
using System.Security.Cryptography.X509Certificates;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Connecting;

/// <summary>
/// Asks a gateway whether it lets a device in. The request is an OPTIONS, which changes nothing at a backend (RFC 9110 §9.2.1); a HEAD where no route takes that.
/// </summary>
internal sealed class ProofProbe(IDeviceSigner signer, Uri url, ProofClaims claims) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private HttpClient? _client;
    private NonceCache _nonces = new();

    /// <summary>The header in which this route wants the proof; found by asking.</summary>
    public string Header { get; private set; } = DeviceHttpOptions.DeviceProof;

    /// <summary>The certificates that are trusted; null: the system's.</summary>
    public X509Certificate2Collection? Trusted { get; init; }

    /// <summary>The version of HTTP.</summary>
    public Version Version { get; init; } = HttpVersion.Version11;

    /// <summary>Whether it may be another.</summary>
    public HttpVersionPolicy VersionPolicy { get; init; } = HttpVersionPolicy.RequestVersionOrLower;

    /// <summary>Asks.</summary>
    /// <exception cref="HttpRequestException">The gateway cannot be reached.</exception>
    /// <exception cref="TimeoutException">It does not answer.</exception>
    public async Task<ProofAnswer> AskAsync(CancellationToken cancellationToken)
    {
        ProofAnswer answer = await AskAsync(HttpMethod.Options, cancellationToken);
        if (answer is { Problem.Code: "device_proof_required" } && Header == DeviceHttpOptions.DeviceProof)
        {
            Header = DeviceHttpOptions.DPoP;
            _client?.Dispose();
            _client = null;
            answer = await AskAsync(HttpMethod.Options, cancellationToken);
        }

        return answer is { IsOfProofRoute: false, Status: 404 or 405 } ? await AskAsync(HttpMethod.Head, cancellationToken) : answer;
    }

    public void Dispose() => _client?.Dispose();

    private async Task<ProofAnswer> AskAsync(HttpMethod method, CancellationToken cancellationToken)
    {
        _client ??= NewClient();
        using var request = new HttpRequestMessage(method, url) { Version = Version, VersionPolicy = VersionPolicy };
        try
        {
            using HttpResponseMessage response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            GateProblem? problem = await GateProblem.ReadAsync(response, cancellationToken);

            // A gate that knows proofs has answered with a nonce at least once.
            return new ProofAnswer((int)response.StatusCode, problem, IsOfProofRoute: _nonces.Find(url) is not null);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"{url} does not answer in time", e);
        }
    }

    private HttpClient NewClient()
    {
        _nonces = new NonceCache();
        var options = new DeviceHttpOptions { Header = Header, Claims = claims, Nonces = _nonces };
        return new HttpClient(new DeviceHttpHandler(signer, options) { InnerHandler = Authorities.NewTransport(Trusted) }) { Timeout = Patience };
    }
}
