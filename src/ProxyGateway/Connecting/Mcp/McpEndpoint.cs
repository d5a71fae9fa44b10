using System.Net;
using System.Security.Cryptography.X509Certificates;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Connecting.Mcp;

/// <summary>The server's URL behind the gateway: sends requests with proofs, and waits for a gateway that is away or busy.</summary>
internal sealed class McpEndpoint(Uri url, IDeviceSigner signer, ProofClaims claims, string fingerprint, TimeProvider time, X509Certificate2Collection? trusted = null) : IDisposable
{
    private string _header = DeviceHttpOptions.DeviceProof;
    private HttpClient _client = NewClient(signer, claims, DeviceHttpOptions.DeviceProof, trusted);
    private string? _said;

    /// <summary>Sends a request until it has an answer of the server's.</summary>
    /// <param name="newRequest">Makes the request, without its URL.</param>
    /// <param name="isSafe">Whether it may be sent again if nobody knows what became of it.</param>
    /// <param name="patience">How long to wait for a gateway that does not answer, or is busy.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="McpFailure">The gateway refuses, or the request has no answer.</exception>
    public async Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> newRequest, bool isSafe, TimeSpan patience, CancellationToken cancellationToken)
    {
        long begin = time.GetTimestamp();
        for (TimeSpan pause = McpLimits.FirstPause; ; pause = McpLimits.After(pause, McpLimits.LongestPauseOfRequest))
        {
            string why;
            TimeSpan? wait = null;
            try
            {
                HttpResponseMessage response = await SendOnceAsync(newRequest, cancellationToken);
                if (await GateProblem.ReadAsync(response, cancellationToken) is { } problem)
                {
                    response.Dispose();
                    if (problem.Status is not (429 or 503) && !(isSafe && problem.Code == "proof_already_used"))
                        throw Refused(problem);
                    (why, wait) = ($"{problem.Title} {problem.Detail}", problem.RetryAfter);
                }
                else if (isSafe && response.StatusCode is HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout)
                {
                    response.Dispose();
                    why = $"The server behind the gateway does not answer ({(int)response.StatusCode})";
                }
                else
                {
                    if (_said is not null)
                        Say(null, "the gateway lets this device in");
                    return response;
                }
            }
            catch (HttpRequestException e) when (isSafe || IsUnsent(e))
            {
                why = $"The gateway at {url.GetLeftPart(UriPartial.Authority)} cannot be reached ({PlainText.Of(Authorities.WhyUnreachable(e))})";
                if (e.HttpRequestError == HttpRequestError.SecureConnectionError)
                    throw McpFailure.NoAnswer(why);
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                why = $"The gateway at {url.GetLeftPart(UriPartial.Authority)} does not answer ({PlainText.Of((e.InnerException ?? e).Message)})"; // no connection in time
            }
            catch (HttpRequestException e)
            {
                throw McpFailure.NoAnswer($"The connection broke before the answer ({PlainText.Of(e.Message)}); what was asked for may have been done");
            }

            Say(why, PlainText.Of(why));
            wait = wait > pause ? wait : pause;
            if (time.GetElapsedTime(begin) + wait > patience)
                throw McpFailure.NoAnswer(PlainText.Of(why));
            await Task.Delay(wait.Value, time, cancellationToken);
        }
    }

    /// <summary>Writes a line on the standard error.</summary>
    public static void Say(string what) => Console.Error.WriteLine("proxygateway mcp: " + what);

    public void Dispose() => _client.Dispose();

    private async Task<HttpResponseMessage> SendOnceAsync(Func<HttpRequestMessage> newRequest, CancellationToken cancellationToken)
    {
        string header = Volatile.Read(ref _header);
        HttpResponseMessage response = await SendWithProofAsync(newRequest, cancellationToken);
        if (header != DeviceHttpOptions.DeviceProof || await GateProblem.ReadAsync(response, cancellationToken) is not { Code: "device_proof_required" })
            return response;

        // The route wants standard DPoP; the other client may have requests under way.
        response.Dispose();
        Volatile.Write(ref _client, NewClient(signer, claims, DeviceHttpOptions.DPoP, trusted));
        Volatile.Write(ref _header, DeviceHttpOptions.DPoP);
        return await SendWithProofAsync(newRequest, cancellationToken);
    }

    private async Task<HttpResponseMessage> SendWithProofAsync(Func<HttpRequestMessage> newRequest, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = newRequest();
        request.RequestUri = url;
        if (url.Scheme == Uri.UriSchemeHttps)
            request.Version = HttpVersion.Version20; // streams share a connection
        try
        {
            return await Volatile.Read(ref _client).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (InvalidOperationException e)
        {
            throw McpFailure.Invalid($"The request cannot be sent: {e.Message}"); // the proof is too long for its scopes
        }
    }

    private McpFailure Refused(GateProblem problem)
    {
        var failure = McpFailure.Refused(problem, fingerprint);
        Say(failure.Message, failure.Message);
        return failure;
    }

    private void Say(string? state, string what)
    {
        if (Interlocked.Exchange(ref _said, state) != state)
            Say(what);
    }

    private static bool IsUnsent(HttpRequestException e) => e.HttpRequestError is
        HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.ProxyTunnelError or HttpRequestError.SecureConnectionError;

    private static HttpClient NewClient(IDeviceSigner signer, ProofClaims claims, string header, X509Certificate2Collection? trusted)
    {
        SocketsHttpHandler transport = Authorities.NewTransport(trusted);
        transport.ConnectTimeout = McpLimits.PatienceAtStart;
        transport.KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests; // a machine that slept has streams whose end nobody announced
        transport.KeepAlivePingDelay = McpLimits.Patience;
        var proving = new DeviceHttpHandler(signer, new DeviceHttpOptions { Header = header, Claims = claims }) { InnerHandler = transport };
        return new HttpClient(proving) { Timeout = Timeout.InfiniteTimeSpan }; // the host knows how long a tool may take
    }
}
