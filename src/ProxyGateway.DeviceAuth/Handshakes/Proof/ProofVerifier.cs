using System.Buffers.Text;
using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// Verifies proofs (RFC 9449 §4.3). The MAC of the nonce comes before the signature: a flood of forgeries must cost one HMAC each, not one signature.
/// </summary>
internal sealed class ProofVerifier(INonceKeys keys, TimeProvider time) : IDisposable
{
    // When thousands of devices come at once, the others wait here in order: in the queue of the thread pool the registry's answers would wait behind them.
    private readonly SemaphoreSlim _places = new(Environment.ProcessorCount);

    /// <summary>Verifies a proof, except for whether it was used before.</summary>
    /// <param name="text">The JWT, as it came.</param>
    /// <param name="target">The request that it must be for.</param>
    /// <param name="publicOrigins">The gateway's origins, as clients see them; empty: any origin on loopback.</param>
    /// <param name="life">How long a nonce is good.</param>
    /// <param name="cancellationToken">Cancelled when the client is gone.</param>
    /// <exception cref="RegistryUnavailableException">The nonce's key is unknown here, and the registry cannot be reached.</exception>
    /// <exception cref="OperationCanceledException">The client is gone.</exception>
    public async ValueTask<ProofExamination> VerifyAsync(
        string text, ProofTarget target, ImmutableArray<string> publicOrigins, TimeSpan life, CancellationToken cancellationToken)
    {
        if (ProofReader.Read(text, out ProofToken token) is { } malformed)
            return new ProofExamination(Proof: null, malformed, ClockOffset: null);
        DateTimeOffset now = time.GetUtcNow();
        double offset = Math.Round(token.IssuedAt - now.ToUnixTimeSeconds());
        if (!ProofNonce.TryRead(token.Nonce, out ProofNonce nonce)
            || await keys.FindAsync(nonce.KeyId, cancellationToken) is not { } key
            || !ProofNonce.IsIssuedBy(key, token.Nonce!)
            || !nonce.IsFresh(now, life))
        {
            return new ProofExamination(Proof: null, ProofFault.NonceRequired, offset);
        }

        ProofFault? fault;
        await _places.WaitAsync(cancellationToken);
        try
        {
            fault = FaultOf(token, target, publicOrigins);
        }
        finally
        {
            _places.Release();
        }

        return new ProofExamination(fault is null ? Proven(token, target, nonce.AgeAt(now)) : null, fault, offset);
    }

    /// <summary>A nonce of this time.</summary>
    /// <exception cref="RegistryUnavailableException">There is no key yet, and the registry cannot be reached.</exception>
    public string IssueNonce() => ProofNonce.Issue(keys.Current, time.GetUtcNow());

    /// <summary>Has the keys of nonces read if that is due; to be called before <see cref="IssueNonce"/>. It never fails.</summary>
    /// <exception cref="OperationCanceledException">The client is gone.</exception>
    public ValueTask RenewAsync(CancellationToken cancellationToken) => keys.RenewAsync(cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _places.Dispose();

    private static ProofFault? FaultOf(ProofToken token, ProofTarget target, ImmutableArray<string> publicOrigins)
    {
        if (token.Method != target.Method)
            return ProofFault.Method;
        if (!ProofUrl.Fits(token.Url, target.Path, publicOrigins))
            return ProofFault.Url;
        if ((token.TokenHash is not null || target.NeedsTokenHash) && token.TokenHash != target.TokenHash)
            return ProofFault.TokenHash;
        return token.Key.Verify(token.Signed, token.Signature);
    }

    private static VerifiedProof Proven(ProofToken token, ProofTarget target, TimeSpan nonceAge)
    {
        byte[] key = token.Key.Raw;
        return new VerifiedProof(
            new DeviceClaim(DeviceId.Of(key), Base64Url.EncodeToString(key), token.Role ?? target.Role, token.Scopes ?? target.Scopes, token.Client)
            {
                InvitationId = token.InvitationId,
            },
            token.Id,
            nonceAge);
    }
}
