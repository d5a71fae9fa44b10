using System.Buffers;
using System.Net;
using System.Text.Json;

namespace ProxyGateway.DeviceAuth.Client;

/// <summary>
/// Adds a device's proof to each request of an <see cref="HttpClient"/>, and to the upgrade of a <see cref="System.Net.WebSockets.ClientWebSocket"/> that
/// connects through it. It keeps the gateways' newest nonces and tries a request once more, and only once, if its nonce was too old. A body that cannot be sent
/// twice is sent with a nonce that was just fetched. Where <see cref="DeviceHttpOptions.Session"/> says so, session tokens take the place of proofs; a request whose
/// token is refused is sent again with a proof. Thread-safe.
/// </summary>
/// <remarks>
/// It refuses, by <see cref="InvalidOperationException"/>, a transport that follows redirects: the proof would go where the gateway's answer points. And it
/// refuses to send anything, by <see cref="HttpRequestException"/>, over plain HTTP to another machine or to a proxy.
/// </remarks>
public sealed class DeviceHttpHandler : DelegatingHandler
{
    // A gateway's nonce is good for longer, but how long is its own matter; and a restarted one may have other keys.
    private static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(10);
    internal const string NonceHeader = "Device-Nonce";
    internal const string DPoPNonceHeader = "DPoP-Nonce";

    /// <summary>The header in which the gateway's answer to a request has its nonce.</summary>
    internal static readonly HttpRequestOptionsKey<string> NonceHeaderOfRequest = new("ProxyGateway.NonceHeader");

    private const string SessionHeader = "Device-Session";
    private const int MaxTokenLength = 16 * 1024; // a gateway makes no longer ones
    private static readonly SearchValues<char> Base64UrlDigits = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    private readonly ProofMaker _maker;
    private readonly string _header;
    private readonly ProofClaims? _claims;
    private readonly DeviceSessionOptions? _session;
    private readonly SessionTokens _tokens;

    /// <summary>Adds proofs of a device. <see cref="DelegatingHandler.InnerHandler"/> must be set, such as to <see cref="CreateTransport"/>.</summary>
    /// <param name="signer">The device's key.</param>
    /// <param name="options">Further parameters; null for the defaults.</param>
    /// <exception cref="ArgumentException">The URL for session tokens is neither https or wss, nor on loopback.</exception>
    public DeviceHttpHandler(IDeviceSigner signer, DeviceHttpOptions? options = null)
    {
        _maker = new ProofMaker(signer, options?.Time);
        _header = options?.Header ?? DeviceHttpOptions.DeviceProof;
        _claims = options?.Claims;
        _session = options?.Session;
        if (_session is not null)
            GateUrl.EnsureSafe(_session.Url);
        _tokens = new SessionTokens(AskForTokenAsync, options?.Time ?? TimeProvider.System);
        Nonces = options?.Nonces ?? new NonceCache(options?.Time);
    }

    /// <summary>Ends with the last question for a session token.</summary>
    internal Task AskingForToken => _tokens.Asking;

    /// <summary>The gateways' newest nonces.</summary>
    public NonceCache Nonces { get; }

    /// <summary>
    /// A transport that fits: it follows no redirects, keeps no cookies, uses the proxy of the environment (<c>HTTPS_PROXY</c>, <c>NO_PROXY</c>) and none on
    /// loopback, and trusts the system's certificate authorities.
    /// </summary>
    public static SocketsHttpHandler CreateTransport() => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        Proxy = new DirectLoopback(HttpClient.DefaultProxy),
        EnableMultipleHttp2Connections = true,
        PooledConnectionLifetime = TimeSpan.FromMinutes(10), // follows changes of DNS
    };

    /// <summary>An <see cref="HttpClient"/> with such a transport. The caller disposes of it.</summary>
    /// <param name="signer">The device's key. It is not disposed of with the client.</param>
    /// <param name="options">Further parameters; null for the defaults.</param>
    public static HttpClient CreateClient(IDeviceSigner signer, DeviceHttpOptions? options = null) =>
        new(new DeviceHttpHandler(signer, options) { InnerHandler = CreateTransport() });

    /// <inheritdoc/>
    /// <exception cref="HttpRequestException">The gateway cannot be reached; or the URL is neither https or wss, nor on loopback.</exception>
    /// <exception cref="InvalidOperationException">The transport follows redirects.</exception>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        Uri url = request.RequestUri ?? throw new InvalidOperationException("The request has no URL.");
        EnsureSafe(url);
        bool canRepeat = CanRepeat(request.Content);
        if (_session?.Covers(url) == true && canRepeat && _tokens.Find(request) is { } token && await SendTokenAsync(request, url, token, cancellationToken).ConfigureAwait(false) is { } answer)
            return answer;

        string? nonce = Nonces.Find(url, canRepeat ? TimeSpan.MaxValue : FreshFor);
        if (nonce is null && !canRepeat)
            nonce = await FetchNonceAsync(request, url, cancellationToken).ConfigureAwait(false);

        HttpResponseMessage response = await ProveAsync(request, url, nonce, cancellationToken).ConfigureAwait(false);
        if (!canRepeat || !AsksForNonce(response) || Nonces.Find(url) is not { } newer || newer == nonce)
            return response;
        response.Dispose();
        return await ProveAsync(request, url, newer, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Not supported: a key may take its time to sign.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken) =>
        throw new NotSupportedException("A device's requests are sent asynchronously.");

    /// <summary>Null if the gateway wants a proof.</summary>
    private async Task<HttpResponseMessage?> SendTokenAsync(HttpRequestMessage request, Uri url, string token, CancellationToken cancellationToken)
    {
        request.Headers.Remove(_header);
        request.Headers.Remove(SessionHeader);
        request.Headers.TryAddWithoutValidation(SessionHeader, token);
        HttpResponseMessage response = await SendAndKeepAsync(request, url, cancellationToken).ConfigureAwait(false);
        request.Headers.Remove(SessionHeader);
        if (response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden
            && await GateProblem.ReadAsync(response, cancellationToken).ConfigureAwait(false) is { Code: "invalid_session_token" or "device_proof_required" })
        {
            response.Dispose();
            _tokens.Refused(token);
            return null;
        }

        _tokens.Taken(token, isOld: response.Headers.Contains(NonceHeaderOf(url)));
        return response;
    }

    private async Task<string?> AskForTokenAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var url = new Uri(GateUrl.OriginOf(_session!.Url) + GateUrl.SessionPath);
        (request.Method, request.RequestUri) = (HttpMethod.Post, url);
        request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(
            new SessionAsk(_session.Route, _session.Route is null ? _session.Audience : null), SessionJsonContext.Default.SessionAsk));
        EnsureSafe(url);
        HttpResponseMessage response = await ProveAsync(request, url, Nonces.Find(url), cancellationToken).ConfigureAwait(false);
        if (AsksForNonce(response))
        {
            response.Dispose();
            response = await ProveAsync(request, url, Nonces.Find(url), cancellationToken).ConfigureAwait(false);
        }

        using (response)
        {
            if (response.StatusCode != HttpStatusCode.OK)
                return null;
            await response.Content.LoadIntoBufferAsync(2 * MaxTokenLength, cancellationToken).ConfigureAwait(false);
            byte[] body = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
            string? token = JsonSerializer.Deserialize(body, SessionJsonContext.Default.SessionAnswer)?.Token;
            return token is { Length: > 0 and <= MaxTokenLength } && !token.AsSpan().ContainsAnyExcept(Base64UrlDigits) ? token : null;
        }
    }

    private async Task<HttpResponseMessage> ProveAsync(HttpRequestMessage request, Uri url, string? nonce, CancellationToken cancellationToken)
    {
        string header = IsOfGateway(url) ? DeviceHttpOptions.DeviceProof : _header;
        // A WebSocket over HTTP/2 is a CONNECT (RFC 8441); its proof says GET, as over HTTP/1.1.
        string method = request.Method == HttpMethod.Connect && request.Headers.Protocol is not null ? "GET" : request.Method.Method;
        string proof = await _maker.ProveAsync(method, url, nonce, ClaimsOf(request), cancellationToken).ConfigureAwait(false);
        request.Headers.Remove(header);
        request.Headers.TryAddWithoutValidation(header, proof);
        return await SendAndKeepAsync(request, url, cancellationToken).ConfigureAwait(false);
    }

    private ProofClaims? ClaimsOf(HttpRequestMessage request) =>
        _header == DeviceHttpOptions.DPoP && request.Headers.Authorization is { Scheme: DeviceHttpOptions.DPoP, Parameter: { } token }
            ? (_claims ?? new ProofClaims()) with { Token = token }
            : _claims;

    private async Task<string?> FetchNonceAsync(HttpRequestMessage request, Uri url, CancellationToken cancellationToken)
    {
        using var ask = new HttpRequestMessage(HttpMethod.Get, GateUrl.OriginOf(url) + GateUrl.NoncePath) { Version = request.Version, VersionPolicy = request.VersionPolicy };
        using HttpResponseMessage answer = await SendAndKeepAsync(ask, url, cancellationToken).ConfigureAwait(false);
        return Nonces.Find(url);
    }

    private async Task<HttpResponseMessage> SendAndKeepAsync(HttpRequestMessage request, Uri url, CancellationToken cancellationToken)
    {
        string nonceHeader = NonceHeaderOf(request.RequestUri!);
        request.Options.Set(NonceHeaderOfRequest, nonceHeader);
        HttpResponseMessage response;
        try
        {
            response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException)
        {
            Nonces.Forget(url); // a gateway that restarts may have other keys afterwards
            throw;
        }

        if (response.Headers.TryGetValues(nonceHeader, out IEnumerable<string>? values))
            Nonces.Keep(url, values.First());
        return response;
    }

    // Of the two, a gateway removes only its own from a backend's answers.
    private string NonceHeaderOf(Uri url) => _header == DeviceHttpOptions.DPoP && !IsOfGateway(url) ? DPoPNonceHeader : NonceHeader;

    // Its endpoints are the same for all routes.
    private static bool IsOfGateway(Uri url) => url.AbsolutePath is GateUrl.NoncePath or GateUrl.SessionPath;

    private static bool AsksForNonce(HttpResponseMessage response) =>
        response.StatusCode == HttpStatusCode.Unauthorized
        && response.Headers.WwwAuthenticate.Any(static challenge =>
            challenge.Scheme is DeviceHttpOptions.DeviceProof or DeviceHttpOptions.DPoP && challenge.Parameter?.Contains("\"use_dpop_nonce\"", StringComparison.Ordinal) == true);

    // Content of these is in memory. Any other may be a stream, which is gone once it was sent.
    private static bool CanRepeat(HttpContent? content) => content is null or ByteArrayContent or ReadOnlyMemoryContent;

    private void EnsureSafe(Uri url)
    {
        if (GateUrl.WhyUnsafe(url) is { } why)
            throw new HttpRequestException(HttpRequestError.SecureConnectionError, why, new ArgumentException(why, nameof(url)));

        HttpMessageHandler? transport = InnerHandler;
        while (transport is DelegatingHandler handler)
            transport = handler.InnerHandler;
        (bool follows, bool usesProxy, IWebProxy? proxy) = transport switch
        {
            SocketsHttpHandler sockets => (sockets.AllowAutoRedirect, sockets.UseProxy, sockets.Proxy),
            HttpClientHandler client => (client.AllowAutoRedirect, client.UseProxy, client.Proxy),
            _ => (false, false, null),
        };
        if (follows)
            throw new InvalidOperationException("A device's requests must not follow redirects: set AllowAutoRedirect of the transport to false, or use DeviceHttpHandler.CreateTransport().");
        if (!GateUrl.IsTls(url) && usesProxy && !(proxy ?? HttpClient.DefaultProxy).IsBypassed(url))
            throw new HttpRequestException(HttpRequestError.SecureConnectionError, $"A proof for {GateUrl.OriginOf(url)} is not sent to a proxy.");
    }
}
