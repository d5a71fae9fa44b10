namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>Which budget is used up.</summary>
internal enum BudgetScope
{
    None,
    Address,
    Destination,
    All,
}

/// <summary>
/// How many handshakes may be under way at a time: from one client address, to one destination, and in all. A place is taken before
/// anything is done for a stranger, and given back exactly once.
/// </summary>
internal sealed class HandshakeBudgets
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _byAddress = [];
    private readonly Dictionary<string, int> _byDestination = [];
    private int _all;

    /// <summary>How many handshakes are under way.</summary>
    public int InUse
    {
        get
        {
            lock (_lock)
            {
                return _all;
            }
        }
    }

    /// <summary>Takes a place in all three budgets, or in none.</summary>
    /// <param name="address">Whose budget; strangers without an address share one.</param>
    /// <param name="destination">The destination that YARP has chosen.</param>
    /// <param name="limits">The limits in force.</param>
    /// <param name="place">What to dispose of once the handshake is over.</param>
    /// <returns>Which budget is used up; <see cref="BudgetScope.None"/> if the place was taken.</returns>
    public BudgetScope TryTake(string address, string destination, DeviceAuthLimits limits, out Place place)
    {
        place = null!;
        lock (_lock)
        {
            int fromAddress = _byAddress.GetValueOrDefault(address);
            int toDestination = _byDestination.GetValueOrDefault(destination);
            if (fromAddress >= limits.HandshakesPerAddress)
                return BudgetScope.Address;
            if (toDestination >= limits.HandshakesPerDestination)
                return BudgetScope.Destination;
            if (_all >= limits.Handshakes)
                return BudgetScope.All;
            _byAddress[address] = fromAddress + 1;
            _byDestination[destination] = toDestination + 1;
            _all++;
        }

        place = new Place(this, address, destination);
        return BudgetScope.None;
    }

    private void GiveBack(string address, string destination)
    {
        lock (_lock)
        {
            Decrement(_byAddress, address);
            Decrement(_byDestination, destination);
            _all--;
        }
    }

    private static void Decrement(Dictionary<string, int> counts, string key)
    {
        if (--counts[key] == 0)
            counts.Remove(key);
    }

    /// <summary>A place that was taken.</summary>
    internal sealed class Place(HandshakeBudgets budgets, string address, string destination) : IDisposable
    {
        private int _returned;

        /// <summary>Gives the place back; only the first call counts.</summary>
        public void Dispose()
        {
            if (Interlocked.Exchange(ref _returned, 1) == 0)
                budgets.GiveBack(address, destination);
        }
    }
}
