using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// How long the refusals of an address without a valid key are delayed: longer with each failure, and shorter with time. The remembered
/// addresses and the waiting refusals are bounded.
/// </summary>
internal sealed class RefusalPace(TimeProvider time)
{
    /// <summary>How many refusals in a row are not delayed.</summary>
    public const int AtOnce = 5;

    /// <summary>How many refusals of one address may wait at a time.</summary>
    public const int MostHeldPerAddress = 16;

    /// <summary>How many refusals may wait at a time.</summary>
    public const int MostHeld = 512;

    /// <summary>How many addresses are remembered.</summary>
    public const int MostAddresses = 4096;

    private const int MostFailuresCounted = 7;
    private const int LinesPerMinute = 30;

    private readonly Lock _lock = new();
    // an address with waiting refusals must not start again
    private readonly BoundedMemory<Address> _addresses = new(MostAddresses, static a => a.Held == 0);
    private readonly Throttle _lines = new(time, TimeSpan.FromMinutes(1), LinesPerMinute);
    private int _held;

    /// <summary>The number of remembered addresses.</summary>
    public int Addresses
    {
        get
        {
            lock (_lock)
                return _addresses.Count;
        }
    }

    /// <summary>The number of waiting refusals.</summary>
    public int Held => Volatile.Read(ref _held);

    /// <summary>Counts a refusal. Dispose of the turn when it was answered.</summary>
    /// <param name="name">The address block, as from <see cref="AddressBlock"/>.</param>
    public Turn Take(string name)
    {
        lock (_lock)
        {
            Address address = _addresses.See(name, () => new Address(time));
            TimeSpan delay = address.Failures.Fail(AtOnce);
            int toTell = CountToTell(address);
            if (delay == TimeSpan.Zero)
                return new Turn(delay, IsTooMany: false, toTell);
            if (address.Held >= MostHeldPerAddress || _held >= MostHeld)
                return new Turn(TimeSpan.Zero, IsTooMany: true, toTell);
            address.Held++;
            _held++;
            return new Turn(delay, IsTooMany: false, toTell, () => GiveBack(address));
        }
    }

    private int CountToTell(Address address)
    {
        address.Untold++;
        if (!_lines.IsOpen || !address.Lines.TryPass())
            return 0;
        _lines.TryPass();
        int count = address.Untold;
        address.Untold = 0;
        return count;
    }

    private void GiveBack(Address address)
    {
        lock (_lock)
        {
            address.Held--;
            _held--;
        }
    }

    /// <summary>How to answer a refusal.</summary>
    /// <param name="Delay">The delay.</param>
    /// <param name="IsTooMany">Too many already wait: another answer, at once.</param>
    /// <param name="ToTell">How many refusals of the address to log now; 0: none now.</param>
    /// <param name="Done">Called by <see cref="Dispose"/>.</param>
    internal readonly record struct Turn(TimeSpan Delay, bool IsTooMany, int ToTell, Action? Done = null) : IDisposable
    {
        public void Dispose() => Done?.Invoke();
    }

    private sealed class Address(TimeProvider time)
    {
        public FailurePacer Failures { get; } = new(time, MostFailuresCounted);

        public Throttle Lines { get; } = Throttle.OncePerMinute(time);

        public int Held { get; set; }

        public int Untold { get; set; }
    }
}
