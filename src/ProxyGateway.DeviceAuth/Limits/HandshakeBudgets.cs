using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>Which budget is used up.</summary>
internal enum BudgetScope
{
    None,
    Rate,
    Address,
    Destination,
    All,
}

/// <summary>
/// Bounds the handshakes under way: of one client and its neighbours, to one destination, and in all. The gate takes a place before it does
/// any work for a stranger, and frees it exactly once. The last quarter of each shared budget is reserved for clients from whose address
/// paired devices were admitted recently, so that strangers cannot shut those out. When a budget is used up, a handshake whose refusal is
/// delayed is evicted first, then the oldest whose client is still silent: the client's own, or one of a client with more places.
/// </summary>
/// <param name="mostInAll">An upper bound besides the configured one; null: there is none.</param>
internal sealed class HandshakeBudgets(Func<int>? mostInAll = null)
{
    // An evicted handshake keeps its connection to the backend until that is closed. This many fit between our limit of 28 and an OpenClaw
    // backend's own.
    private const int MostLeaving = 4;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Tally> _byClient = [];
    private readonly Dictionary<string, Tally> _byDestination = [];
    private readonly LinkedList<HandshakePlace> _heldBackOldestFirst = [];
    private readonly LinkedList<HandshakePlace> _silentOldestFirst = [];
    private int _all;

    /// <summary>How many handshakes are under way.</summary>
    public int InUse => Volatile.Read(ref _all);

    /// <summary>How many may be under way.</summary>
    /// <param name="limits">The limits in force.</param>
    public int MostNow(DeviceAuthLimits limits) => Math.Min(limits.Handshakes, mostInAll?.Invoke() ?? int.MaxValue);

    /// <summary>How many budgets of clients and destinations are remembered: those that a handshake takes from.</summary>
    internal int Remembered
    {
        get
        {
            lock (_lock)
            {
                return _byClient.Count + _byDestination.Count;
            }
        }
    }

    /// <summary>Takes a place in all budgets, or in none.</summary>
    /// <param name="client">The client that begins the handshake.</param>
    /// <param name="familiarity">The keys of the client from which paired devices were admitted recently.</param>
    /// <param name="destination">The destination that YARP has chosen.</param>
    /// <param name="limits">The limits in force.</param>
    /// <param name="place">Disposed of when the handshake ends.</param>
    /// <returns>Which budget is used up; <see cref="BudgetScope.None"/> if the place was taken.</returns>
    public BudgetScope TryTake(
        Client client, Familiarity familiarity, string destination, DeviceAuthLimits limits, out HandshakePlace place)
    {
        place = null!;
        HandshakePlace? loser = null;
        int mostInAllNow = MostNow(limits);
        lock (_lock)
        {
            ImmutableArray<Tally> mine = [.. client.Keys.Select(k => Find(_byClient, k.Name))];
            Tally there = Find(_byDestination, destination);
            var needed = default(Needed);
            bool isHopeless = false;
            for (int i = 0; i < mine.Length; i++)
            {
                int excess = mine[i].Taken + 1 - familiarity.ShareOf(i, client.Keys[i].Budget(limits.HandshakesPerAddress));
                if (excess > 0)
                    needed = needed with { Narrowest = needed.Narrowest ?? i, Widest = i };
                isHopeless |= excess > 1;
            }

            if (isHopeless)
                return BudgetScope.Address;

            int overDestination = there.Taken + 1 - ShareOf(limits.HandshakesPerDestination);
            int overAll = _all + 1 - ShareOf(mostInAllNow);
            needed = needed with { Destination = overDestination > 0 ? there : null, OfAll = overAll > 0 };
            if (overDestination > 1)
                return BudgetScope.Destination;
            if (overAll > 1)
                return BudgetScope.All;
            if (needed.Scope != BudgetScope.None)
            {
                loser = FindHandshakeToEvict(needed, client, familiarity, mine);
                if (loser is null)
                    return needed.Scope;
                Evict(loser);
            }

            place = new HandshakePlace(this, client, familiarity, mine, there);
            place.GivesWayBy = _silentOldestFirst.AddLast(place);
            foreach (Tally tally in mine)
                Add(_byClient, tally);
            Add(_byDestination, there);
            _all++;
        }

        loser?.GiveWay();
        return BudgetScope.None;

        int ShareOf(int limit) => familiarity[client.Host] ? limit : Familiarity.WithoutKept(limit);
    }

    internal void Speak(HandshakePlace place)
    {
        lock (_lock)
        {
            KeepFromGivingWay(place);
        }
    }

    internal void HoldBack(HandshakePlace place)
    {
        lock (_lock)
        {
            KeepFromGivingWay(place);
            if (!place.IsGivenBack)
                place.GivesWayBy = _heldBackOldestFirst.AddLast(place);
        }
    }

    internal void LeaveDestination(HandshakePlace place)
    {
        lock (_lock)
        {
            LeaveDestinationUnderLock(place);
        }
    }

    internal void GiveBack(HandshakePlace place)
    {
        lock (_lock)
        {
            LeaveDestinationUnderLock(place);
            GiveBackUnderLock(place);
        }
    }

    private HandshakePlace? FindHandshakeToEvict(Needed needed, Client client, Familiarity familiarity, ImmutableArray<Tally> mine)
    {
        foreach (HandshakePlace place in _heldBackOldestFirst)
        {
            if (needed.IsMetBy(place, mine))
                return place;
        }

        HandshakePlace? loser = null;
        foreach (HandshakePlace place in _silentOldestFirst)
        {
            if (needed.IsMetBy(place, mine)
                && place.Destination.Leaving < MostLeaving
                && !needed.IsKept(place, client, familiarity)
                && IsHeavier(place.Tallies, mine, orAsHeavy: true)
                && (loser is null || IsHeavier(place.Tallies, loser.Tallies, orAsHeavy: false)))
            {
                loser = place;
            }
        }

        return loser;
    }

    // Compares the widest block that differs. If none differs, both are one client.
    private static bool IsHeavier(ImmutableArray<Tally> one, ImmutableArray<Tally> other, bool orAsHeavy)
    {
        for (int i = 1; i <= one.Length && i <= other.Length; i++)
        {
            if (one[^i] != other[^i])
                return one[^i].Taken > other[^i].Taken;
        }

        return orAsHeavy;
    }

    private void Evict(HandshakePlace place)
    {
        place.IsEvicted = true;
        if (!place.HasLeftDestination)
        {
            place.Destination.Taken--;
            place.Destination.Leaving++;
        }

        GiveBackUnderLock(place);
    }

    private void LeaveDestinationUnderLock(HandshakePlace place)
    {
        if (place.HasLeftDestination)
            return;
        place.HasLeftDestination = true;
        if (place.IsEvicted)
            place.Destination.Leaving--;
        else
            place.Destination.Taken--;
        Forget(_byDestination, place.Destination);
    }

    private void GiveBackUnderLock(HandshakePlace place)
    {
        if (place.IsGivenBack)
            return;
        place.IsGivenBack = true;
        KeepFromGivingWay(place);
        foreach (Tally tally in place.Tallies)
        {
            tally.Taken--;
            Forget(_byClient, tally);
        }

        _all--;
    }

    private static void KeepFromGivingWay(HandshakePlace place)
    {
        if (place.GivesWayBy is not { } node)
            return;
        place.GivesWayBy = null;
        node.List!.Remove(node);
    }

    private static Tally Find(Dictionary<string, Tally> tallies, string name) => tallies.GetValueOrDefault(name) ?? new Tally(name);

    private static void Add(Dictionary<string, Tally> tallies, Tally tally)
    {
        tallies[tally.Name] = tally;
        tally.Taken++;
    }

    private static void Forget(Dictionary<string, Tally> tallies, Tally tally)
    {
        if (tally is { Taken: 0, Leaving: 0 })
            tallies.Remove(tally.Name);
    }

    /// <summary>Counts the places of one budget. Guarded by the budgets' lock.</summary>
    /// <param name="name">The owner of the budget.</param>
    internal sealed class Tally(string name)
    {
        public string Name => name;

        public int Taken { get; set; }

        /// <summary>For a destination: connections of evicted handshakes that are not closed yet.</summary>
        public int Leaving { get; set; }
    }

    /// <summary>The budgets that are used up: an evicted handshake must hold a place in each.</summary>
    /// <param name="Narrowest">The index of the client's narrowest; null: none of its own.</param>
    /// <param name="Widest">The index of its widest.</param>
    /// <param name="Destination">The budget of the destination.</param>
    /// <param name="OfAll">Whether the budget of all handshakes is used up.</param>
    private readonly record struct Needed(int? Narrowest, int Widest, Tally? Destination, bool OfAll)
    {
        public BudgetScope Scope => Narrowest is not null ? BudgetScope.Address
            : Destination is not null ? BudgetScope.Destination
            : OfAll ? BudgetScope.All
            : BudgetScope.None;

        // A place in a client's narrower budget is also one in each wider budget.
        public bool IsMetBy(HandshakePlace place, ImmutableArray<Tally> mine) =>
            (Narrowest is not { } key || (key < place.Tallies.Length && place.Tallies[key] == mine[key]))
            && (Destination is null || (place.Destination == Destination && !place.HasLeftDestination));

        /// <summary>
        /// Whether a place is protected from a newcomer: a paired device was admitted from the block of the place's client, but not from
        /// the newcomer's.
        /// </summary>
        public bool IsKept(HandshakePlace place, Client newcomer, Familiarity familiarity) =>
            ((Destination is not null || OfAll) && place.Familiarity[place.Client.Host] && !familiarity[newcomer.Host])
            || (Narrowest is not null && Widest > 0 && place.Familiarity[Widest - 1] && !familiarity[Widest - 1]);
    }
}
