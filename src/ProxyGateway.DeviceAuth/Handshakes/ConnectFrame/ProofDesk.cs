using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// Where proofs are verified, off the sockets' event loops, and no more of them at a time than keep the processors busy. When thousands of
/// devices come at once, the others wait here instead of in the thread pool's queue, where the registry's answers would wait behind them
/// and come too late.
/// </summary>
internal sealed class ProofDesk : IDisposable
{
    private readonly PayloadVersions _versions = new();
    private readonly SemaphoreSlim _places = new(Environment.ProcessorCount);

    /// <inheritdoc cref="ConnectProof.Verify"/>
    /// <exception cref="OperationCanceledException">The wait has been given up.</exception>
    public async ValueTask<(ProofFailure Failure, Claim Claim)> VerifyAsync(
        ConnectRequest request, string nonce, DateTimeOffset now, TimeSpan skew, CancellationToken cancellationToken)
    {
        await _places.WaitAsync(cancellationToken);
        try
        {
            await Task.Yield(); // off the loop, where this and what comes after it, a store that blocks above all, would hold up other connections
            return (ConnectProof.Verify(request, nonce, now, skew, _versions, out Claim claim), claim);
        }
        finally
        {
            _places.Release();
        }
    }

    public void Dispose() => _places.Dispose();
}
