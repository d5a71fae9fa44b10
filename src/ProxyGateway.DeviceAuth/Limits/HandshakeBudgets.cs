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
/// How many handshakes may be under way at a time: of one client, to one destination, and in all. A place is taken before anything is done
/// for a stranger, and given back exactly once. Of the two budgets that all share, the last quarter is kept for clients from whose address
/// paired devices were admitted of late, so that strangers cannot shut those out; and where a budget is used up, the oldest handshake whose
/// client is still silent, of the client that holds most places, gives way to one that holds fewer.
/// </summary>
internal sealed class HandshakeBudgets
{
    // Who gives way still has a connection to the backend for a moment. So many of these are between our limit of 28 and an OpenClaw backend's own.
    private const int MostLeaving = 4;
    private const int KeptPart = 4;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _byClient = [];
    private readonly Dictionary<string, int> _byDestination = [];
    private readonly LinkedList<HandshakePlace> _silentOldestFirst = [];
    private int _all;
    private int _leaving;

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
    /// <param name="client">Whose budget.</param>
    /// <param name="isFamiliar">Whether a paired device was admitted from there of late.</param>
    /// <param name="destination">The destination that YARP has chosen.</param>
    /// <param name="limits">The limits in force.</param>
    /// <param name="place">What to dispose of once the handshake is over.</param>
    /// <returns>Which budget is used up; <see cref="BudgetScope.None"/> if the place was taken.</returns>
    public BudgetScope TryTake(string client, bool isFamiliar, string destination, DeviceAuthLimits limits, out HandshakePlace place)
    {
        place = null!;
        HandshakePlace? loser = null;
        lock (_lock)
        {
            int mine = _byClient.GetValueOrDefault(client);
            if (mine >= limits.HandshakesPerAddress)
                return BudgetScope.Address;

            int overDestination = Excess(_byDestination.GetValueOrDefault(destination), limits.HandshakesPerDestination);
            int overAll = Excess(_all, limits.Handshakes);
            if (overDestination > 0 || overAll > 0)
            {
                bool ofDestination = overDestination > 0;
                loser = overDestination <= 1 && overAll <= 1 ? FindLoser(mine, isFamiliar, ofDestination ? destination : null) : null;
                if (loser is null)
                    return ofDestination ? BudgetScope.Destination : BudgetScope.All;
                Evict(loser);
            }

            place = new HandshakePlace(this, client, destination, isFamiliar);
            place.Silence = _silentOldestFirst.AddLast(place);
            _byClient[client] = mine + 1;
            _byDestination[destination] = _byDestination.GetValueOrDefault(destination) + 1;
            _all++;
        }

        loser?.GiveWay();
        return BudgetScope.None;

        // How many places too many it would be.
        int Excess(int taken, int limit) => taken + 1 - (isFamiliar ? limit : limit - (limit / KeptPart));
    }

    internal void Speak(HandshakePlace place)
    {
        lock (_lock)
        {
            EndSilence(place);
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

    private HandshakePlace? FindLoser(int newcomersPlaces, bool newcomerIsFamiliar, string? destination)
    {
        if (_leaving >= MostLeaving)
            return null;
        HandshakePlace? loser = null;
        int most = newcomersPlaces;
        foreach (HandshakePlace place in _silentOldestFirst)
        {
            if ((destination is null || place.Destination == destination)
                && (newcomerIsFamiliar || !place.IsFamiliar)
                && _byClient[place.Client] is var places && places > most)
            {
                (loser, most) = (place, places);
            }
        }

        return loser;
    }

    private void Evict(HandshakePlace place)
    {
        place.IsEvicted = true;
        if (!place.HasLeftDestination)
        {
            Decrement(_byDestination, place.Destination);
            _leaving++;
        }

        GiveBackUnderLock(place);
    }

    private void LeaveDestinationUnderLock(HandshakePlace place)
    {
        if (place.HasLeftDestination)
            return;
        place.HasLeftDestination = true;
        if (place.IsEvicted)
            _leaving--;
        else
            Decrement(_byDestination, place.Destination);
    }

    private void GiveBackUnderLock(HandshakePlace place)
    {
        if (place.IsGivenBack)
            return;
        place.IsGivenBack = true;
        EndSilence(place);
        Decrement(_byClient, place.Client);
        _all--;
    }

    private void EndSilence(HandshakePlace place)
    {
        if (place.Silence is not { } silence)
            return;
        place.Silence = null;
        _silentOldestFirst.Remove(silence);
    }

    private static void Decrement(Dictionary<string, int> counts, string key)
    {
        if (--counts[key] == 0)
            counts.Remove(key);
    }
}
