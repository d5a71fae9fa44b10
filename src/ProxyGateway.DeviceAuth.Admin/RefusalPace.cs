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

    private const int MostCounted = AtOnce + 7; // more would not wait longer, only be remembered for longer
    private const int LinesPerMinute = 30;

    /// <summary>How long the first wait is; each one doubles it.</summary>
    public static readonly TimeSpan ShortestDelay = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a wait may be.</summary>
    public static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(5);

    /// <summary>How long it takes until one refusal less counts.</summary>
    public static readonly TimeSpan Forgiveness = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<Address>> _addresses = [];
    private readonly LinkedList<Address> _longestUnseenFirst = [];
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
    public int Held
    {
        get
        {
            lock (_lock)
                return _held;
        }
    }

    /// <summary>Counts a refusal. Dispose of the turn when it was answered.</summary>
    /// <param name="name">Whose, as <see cref="AddressBlock"/> has it.</param>
    public Turn Take(string name)
    {
        lock (_lock)
        {
            Address address = Find(name);
            long now = time.GetTimestamp();
            address.Refusals = Math.Min(MostCounted, Math.Max(0, address.Refusals - (time.GetElapsedTime(address.SeenAt, now) / Forgiveness)) + 1);
            address.SeenAt = now;
            int toTell = CountToTell(address);
            TimeSpan delay = Delay(address.Refusals);
            if (delay == TimeSpan.Zero)
                return new Turn(delay, IsTooMany: false, toTell);
            if (address.Held >= MostHeldPerAddress || _held >= MostHeld)
                return new Turn(TimeSpan.Zero, IsTooMany: true, toTell);
            address.Held++;
            _held++;
            return new Turn(delay, IsTooMany: false, toTell, () => GiveBack(address));
        }
    }

    private static TimeSpan Delay(double refusals)
    {
        int waits = (int)Math.Ceiling(refusals) - AtOnce;
        if (waits <= 0)
            return TimeSpan.Zero;
        TimeSpan delay = ShortestDelay * Math.Pow(2, waits - 1);
        return delay < LongestDelay ? delay : LongestDelay;
    }

    private Address Find(string name)
    {
        if (_addresses.TryGetValue(name, out LinkedListNode<Address>? node))
        {
            _longestUnseenFirst.Remove(node);
        }
        else
        {
            if (_addresses.Count >= MostAddresses)
                Forget();
            node = new LinkedListNode<Address>(new Address(name, Throttle.OncePerMinute(time)) { SeenAt = time.GetTimestamp() });
            _addresses.Add(name, node);
        }

        _longestUnseenFirst.AddLast(node);
        return node.Value;
    }

    // Not one whose refusals wait: it would start again with none. There are fewer of them than addresses.
    private void Forget()
    {
        LinkedListNode<Address> node = _longestUnseenFirst.First!;
        while (node.Value.Held > 0)
            node = node.Next!;
        _addresses.Remove(node.Value.Name);
        _longestUnseenFirst.Remove(node);
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

    private sealed class Address(string name, Throttle lines)
    {
        public string Name { get; } = name;

        public double Refusals { get; set; }

        public long SeenAt { get; set; }

        public int Held { get; set; }

        public int Untold { get; set; }

        public Throttle Lines => lines;
    }
}
