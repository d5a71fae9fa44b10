namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// How many decisions may be under way at a time, each of which asks the registry. The others wait here in the order in which they came, so
/// that a crowd makes no queue in front of the registry, whose answers would then look late although it is quick.
/// </summary>
internal sealed class DecisionQueue : IDisposable
{
    /// <summary>Far more than keep a registry busy, and few enough that the last of them is answered at once.</summary>
    public const int MaxUnderWay = 64;

    private readonly SemaphoreSlim _places = new(MaxUnderWay);
    private int _waiting;

    /// <summary>How many wait for their turn.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>Takes a place if there is one, and nobody waits for it.</summary>
    public bool TryEnter() => _places.Wait(TimeSpan.Zero);

    /// <summary>Waits for a place, which is to be given back with <see cref="Leave"/>.</summary>
    /// <exception cref="OperationCanceledException">The wait has been given up; there is no place to give back.</exception>
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
