using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// Reads <c>connect</c> requests and verifies proofs off the sockets' event loops, and no more of them at a time than keep the processors
/// busy. When thousands of devices come at once, the others wait here in order. In the thread pool's queue the registry's answers would
/// wait behind them and come too late.
/// </summary>
internal sealed class ProofVerificationLimiter : IDisposable
{
    private readonly PayloadVersions _versions = new();
    private readonly SemaphoreSlim _places = new(Environment.ProcessorCount);

    /// <summary>Reads a request and verifies its proof.</summary>
    /// <param name="message">The client's first message, valid UTF-8.</param>
    /// <param name="nonce">The nonce of the challenge that was relayed on this connection.</param>
    /// <param name="now">When the message arrived.</param>
    /// <param name="skew">How far the signature's time may differ from that, earlier or later.</param>
    /// <param name="cancellationToken">Cancelled when the client is gone.</param>
    /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
    public async ValueTask<Examination> ExamineAsync(
        ReadOnlyMemory<byte> message, string nonce, DateTimeOffset now, TimeSpan skew, CancellationToken cancellationToken)
    {
        await _places.WaitAsync(cancellationToken);
        try
        {
            // leaves the loop, where this and the following work, above all a store that blocks, would delay other connections
            await Task.Yield();
            if (!ConnectRequestReader.TryRead(message, out ConnectRequest request, out Refusal malformed))
                return new Examination(Request: null, malformed, ProofFailure.None, Claim: null);
            ProofFailure failure = ConnectProof.Verify(request, nonce, now, skew, _versions, out DeviceClaim claim);
            return new Examination(request, Malformed: null, failure, claim);
        }
        finally
        {
            _places.Release();
        }
    }

    public void Dispose() => _places.Dispose();
}
