using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>How one request is answered: with which nonce, and where its proof was.</summary>
internal sealed class ProofAnswering(HttpContext http, ProofRoute route, bool isSubprotocol, ProofVerifier verifier, TimeProvider time)
{
    private bool _isFresh;
    private bool _isSet;

    /// <summary>Says that the answer has a nonce, unless the client's is fresh.</summary>
    public void SetNonce(bool isFresh)
    {
        _isFresh = isFresh;
        if (_isSet)
            return;
        _isSet = true;
        http.Response.OnStarting(static state => ((ProofAnswering)state).SetHeaderAsync(), this);
    }

    public void PrepareForwarding()
    {
        PresentedProof.RemoveFrom(http.Request.Headers);
        if (isSubprotocol)
            http.Features.Set(new FallbackSubprotocol(ProofNames.Subprotocol));
    }

    public Task WriteAsync(ProofAnswer answer)
    {
        _isFresh = false;
        if (!isSubprotocol)
            return ProofResponse.WriteAsync(http, answer, route.Scheme);
        Closing closing = answer.Closing == Closing.NonceRequired && TryIssue() is { } nonce ? Closing.NonceRequiredWith(nonce) : answer.Closing;
        return ProofResponse.CloseAsync(http, closing, time);
    }

    // A backend that sent a nonce of its own would have its devices refused.
    private Task SetHeaderAsync()
    {
        string? nonce = _isFresh ? null : TryIssue();
        if (isSubprotocol && http.Response.StatusCode == StatusCodes.Status101SwitchingProtocols && http.Response.Headers["Sec-WebSocket-Protocol"].Count == 0)
            http.Response.Headers["Sec-WebSocket-Protocol"] = ProofNames.Subprotocol; // where no proxy answers
        if (nonce is null)
            http.Response.Headers.Remove(route.NonceHeader);
        else
            http.Response.Headers[route.NonceHeader] = nonce;
        return Task.CompletedTask;
    }

    private string? TryIssue()
    {
        try
        {
            return verifier.IssueNonce();
        }
        catch (RegistryUnavailableException)
        {
            return null;
        }
    }
}
