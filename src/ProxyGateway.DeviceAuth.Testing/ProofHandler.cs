using System.Net;
using System.Net.Http.Headers;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>
/// Adds a device's proof to each request of an <see cref="HttpClient"/>. It keeps the gateway's newest nonce, fetches the first one before a request that could
/// not be sent twice, and tries once more, and only once, when a nonce was too old. Thread-safe.
/// </summary>
/// <param name="signer">The device.</param>
/// <param name="options">Further parts of each proof; null: none.</param>
public sealed class ProofHandler(ProofSigner signer, ProofOptions? options = null) : DelegatingHandler
{
    private static readonly string[] NonceHeaders = ["Device-Nonce", "DPoP-Nonce"];

    private volatile string? _nonce;

    /// <summary>The header of the proof: <c>Device-Proof</c>, or <c>DPoP</c> on a route that says so.</summary>
    public string Header { get; init; } = "Device-Proof";

    /// <summary>The gateway's newest nonce; null if there was none yet.</summary>
    public string? Nonce => _nonce;

    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (_nonce is null && request.Content is not null)
            await FetchNonceAsync(request, cancellationToken);
        HttpResponseMessage response = await ProveAsync(request, cancellationToken);
        if (request.Content is not null || !AsksForNonce(response))
            return response;
        response.Dispose();
        return await ProveAsync(request, cancellationToken);
    }

    private async Task FetchNonceAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using var ask = new HttpRequestMessage(HttpMethod.Get, new Uri(request.RequestUri!, "/.well-known/proxygateway/nonce"))
        {
            Version = request.Version,
            VersionPolicy = request.VersionPolicy,
        };
        using HttpResponseMessage answer = await base.SendAsync(ask, cancellationToken);
        Keep(answer);
    }

    private async Task<HttpResponseMessage> ProveAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.Remove(Header);
        request.Headers.Add(Header, signer.Prove(request.Method.Method, request.RequestUri!, _nonce, options));
        HttpResponseMessage response = await base.SendAsync(request, cancellationToken);
        Keep(response);
        return response;
    }

    private void Keep(HttpResponseMessage response)
    {
        foreach (string name in NonceHeaders)
        {
            if (response.Headers.TryGetValues(name, out IEnumerable<string>? values))
                _nonce = values.First();
        }
    }

    private static bool AsksForNonce(HttpResponseMessage response) =>
        response.StatusCode == HttpStatusCode.Unauthorized
        && response.Headers.WwwAuthenticate.Any(static (AuthenticationHeaderValue challenge) => challenge.Parameter?.Contains("use_dpop_nonce", StringComparison.Ordinal) == true);
}
