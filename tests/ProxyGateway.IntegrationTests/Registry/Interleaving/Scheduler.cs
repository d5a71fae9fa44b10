namespace ProxyGateway.IntegrationTests.Registry.Interleaving;

/// <summary>What becomes of a gateway at a step.</summary>
internal enum Fate
{
    Lives,

    /// <summary>It ends before the step is taken.</summary>
    DiesBefore,

    /// <summary>The step is taken, and the gateway ends before it hears of it.</summary>
    DiesAfter,
}

/// <summary>
/// Lets one gateway at a time take one step, in an order that hangs on the seed alone: the next is drawn once every gateway either waits for its
/// turn or is done.
/// </summary>
internal sealed class Scheduler(int seed, bool withDeaths)
{
    // A gateway dies at one in so many steps.
    private const int DeathEvery = 25;

    private readonly Random _random = new(seed);
    private readonly SortedDictionary<int, TaskCompletionSource<Fate>> _waiting = [];
    private readonly HashSet<int> _dead = [];
    private readonly Lock _lock = new();
    private int _running;

    public int Steps { get; private set; }

    public bool IsDead(int gateway)
    {
        lock (_lock)
            return _dead.Contains(gateway);
    }

    /// <summary>Runs all gateways to their end.</summary>
    public Task RunAsync(IReadOnlyList<Func<Task>> gateways)
    {
        _running = gateways.Count;
        return Task.WhenAll(gateways.Select(run => Task.Run(async () =>
        {
            try
            {
                await run();
            }
            finally
            {
                _ = Pause(gateway: null);
            }
        })));
    }

    /// <summary>Waits for the gateway's turn.</summary>
    public Task<Fate> StepAsync(int gateway)
    {
        lock (_lock)
        {
            if (_dead.Contains(gateway))
                return Task.FromResult(Fate.DiesBefore);
        }

        return Pause(gateway)!;
    }

    private Task<Fate>? Pause(int? gateway)
    {
        Task<Fate>? turn = null;
        lock (_lock)
        {
            if (gateway is { } waits)
                turn = (_waiting[waits] = new TaskCompletionSource<Fate>(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            if (--_running > 0 || _waiting.Count == 0)
                return turn;
            int next = _waiting.Keys.ElementAt(_random.Next(_waiting.Count));
            Fate fate = withDeaths && _random.Next(DeathEvery) == 0 ? (Fate)_random.Next(1, 3) : Fate.Lives;
            if (fate != Fate.Lives)
                _dead.Add(next);
            _running++;
            Steps++;
            _waiting.Remove(next, out TaskCompletionSource<Fate>? chosen);
            chosen!.SetResult(fate);
        }

        return turn;
    }
}
