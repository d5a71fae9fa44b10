using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// Where <c>connect</c> requests are read and proofs verified, off the sockets' event loops, and no more of them at a time than keep the
/// processors busy. When thousands of devices come at once, the others wait here, in the order in which they came, instead of in the thread
/// pool's queue, where the registry's answers would wait behind them and come too late.
/// </summary>
internal sealed class ProofVerificationLimiter : IDisposable
{
    private readonly PayloadVersions _versions = new();
    private readonly SemaphoreSlim _places = new(Environment.ProcessorCount);

    /// <summary>Reads a request and verifies its proof.</summary>
    /// <param name="message">The client's first message, valid UTF-8.</param>
    /// <param name="nonce">The nonce of the challenge that was relayed on this connection.</param>
    /// <param name="now">When the message came.</param>
    /// <param name="skew">How far the signature's time may be from that, either way.</param>
    /// <param name="cancellationToken">The client is gone.</param>
    /// <exception cref="OperationCanceledException">The wait has been given up.</exception>
    public async ValueTask<Examination> ExamineAsync(
        ReadOnlyMemory<byte> message, string nonce, DateTimeOffset now, TimeSpan skew, CancellationToken cancellationToken)
    {
        await _places.WaitAsync(cancellationToken);
        try
        {
            await Task.Yield(); // off the loop, where this and what comes after it, a store that blocks above all, would hold up other connections
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
