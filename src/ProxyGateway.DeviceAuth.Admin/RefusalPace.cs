using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// How long an address without a right key waits for its refusals, which grows with their number and shrinks with time. What is remembered
/// is bounded, and so is how many refusals wait.
/// </summary>
internal sealed class RefusalPace(TimeProvider time)
{
    /// <summary>So many refusals in a row do not wait.</summary>
    public const int AtOnce = 5;

    /// <summary>How many refusals of one address wait at a time.</summary>
    public const int MostHeldPerAddress = 16;

    /// <summary>How many refusals wait at a time.</summary>
    public const int MostHeld = 512;

    /// <summary>How many addresses are remembered.</summary>
    public const int MostAddresses = 4096;

    private const int MostFailuresCounted = 7;
    private const int LinesPerMinute = 30;

    private readonly Lock _lock = new();
    private readonly BoundedMemory<Address> _addresses = new(MostAddresses, static a => a.Held == 0); // one whose refusals wait would start again with none
    private readonly Throttle _lines = new(time, TimeSpan.FromMinutes(1), LinesPerMinute);
    private int _held;

    /// <summary>How many addresses are remembered now.</summary>
    public int Addresses
    {
        get
        {
            lock (_lock)
                return _addresses.Count;
        }
    }

    /// <summary>How many refusals wait now.</summary>
    public int Held => Volatile.Read(ref _held);

    /// <summary>Counts a refusal. Dispose of the turn when it was answered.</summary>
    /// <param name="name">Whose, as <see cref="AddressBlock"/> has it.</param>
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

    /// <summary>How a refusal is to be answered.</summary>
    /// <param name="Delay">After how long.</param>
    /// <param name="IsTooMany">Too many wait already: another answer, and at once.</param>
    /// <param name="ToTell">How many refusals of the address the log should tell of now; 0: not now.</param>
    /// <param name="Done">What <see cref="Dispose"/> does.</param>
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
