namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Counts the open streams of events, in all and for each key: one key must not take them all.</summary>
internal sealed class EventStreams
{
    /// <summary>The maximum in all.</summary>
    public const int Most = 64;

    /// <summary>The maximum of one key.</summary>
    public const int MostOfKey = 8;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, int> _ofKeys = [];
    private int _inAll;

    /// <summary>The number of open streams.</summary>
    public int Count => Volatile.Read(ref _inAll);

    /// <summary>Takes a place for a stream. Null if one was free; else the problem.</summary>
    /// <param name="key">The key's name.</param>
    public AdminProblem? Enter(string key)
    {
        lock (_lock)
        {
            int ofKey = _ofKeys.GetValueOrDefault(key);
            if (ofKey >= MostOfKey)
                return AdminProblems.TooManyStreamsOfKey;
            if (_inAll >= Most)
                return AdminProblems.TooManyStreams;
            _ofKeys[key] = ofKey + 1;
            _inAll++;
            return null;
        }
    }

    /// <summary>Frees a place.</summary>
    /// <param name="key">The key's name.</param>
    public void Leave(string key)
    {
        lock (_lock)
        {
            _inAll--;
            if (--_ofKeys[key] == 0)
                _ofKeys.Remove(key);
        }
    }
}
