namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// Bounds the decisions under way, each of which asks the registry. The others wait here in the order in which they came, so that a crowd
/// does not queue at the registry, whose answers would then look late although it is fast.
/// </summary>
internal sealed class DecisionQueue : IDisposable
{
    /// <summary>Far more than keep a registry busy, and few enough that the last of them is answered at once.</summary>
    public const int MaxUnderWay = 64;

    private readonly SemaphoreSlim _places = new(MaxUnderWay);
    private int _waiting;

    /// <summary>How many wait for their turn.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>How many are under way.</summary>
    public int UnderWay => MaxUnderWay - _places.CurrentCount;

    /// <summary>Takes a place if one is free and no other decision waits for it.</summary>
    public bool TryEnter() => _places.Wait(TimeSpan.Zero);

    /// <summary>Waits for a place, which <see cref="Leave"/> frees.</summary>
    /// <exception cref="OperationCanceledException">The wait was cancelled; there is no place to free.</exception>
    public async Task EnterAsync(CancellationToken cancellationToken)
    {
        Task entered = _places.WaitAsync(cancellationToken);
        Interlocked.Increment(ref _waiting);
        try
        {
            await entered;
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    public void Leave() => _places.Release();

    public void Dispose() => _places.Dispose();
}
