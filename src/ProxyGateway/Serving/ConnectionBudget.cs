namespace ProxyGateway.Serving;

/// <summary>
/// Bounds a listener's connections, in all and for one address block, and the requests under way on them. Each of both costs a
/// file handle, and a process without handles cannot even refuse. At the limit, the connection that has been without a request for
/// longest, of the block with most such connections, is closed for the new one. A connection with a request under way, such as an admitted
/// session, never is.
/// </summary>
/// <param name="limits">The limits in force.</param>
internal sealed class ConnectionBudget(Func<ConnectionLimits> limits)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Block> _blocks = [];
    private readonly SortedSet<Block> _mostIdleLast = new(Block.ByIdle);
    private int _connections;
    private int _requests;

    /// <summary>How many connections there are.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>How many connections there may be.</summary>
    public int Most => limits().All;

    /// <summary>How many requests are under way whose connection must not be closed.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Takes a place. If none is free, closes a connection without a request for it.</summary>
    /// <param name="block">The address block.</param>
    /// <param name="isBounded">Whether the limit for one block applies.</param>
    /// <param name="close">Closes the connection.</param>
    /// <param name="place">Disposed of when the connection is gone.</param>
    /// <param name="hasEvicted">Whether another connection was closed for it.</param>
    /// <returns>Which limit is reached; <see cref="ConnectionScope.None"/> if the place was taken.</returns>
    public ConnectionScope TryEnter(string block, bool isBounded, Action close, out ConnectionPlace place, out bool hasEvicted)
    {
        ConnectionLimits limit = limits();
        ConnectionPlace? loser = null;
        place = null!;
        hasEvicted = false;
        lock (_lock)
        {
            if (!_blocks.TryGetValue(block, out Block? mine))
                mine = new Block(block);
            bool isBlockFull = isBounded && mine.Connections >= limit.PerAddress;
            if (isBlockFull || _connections >= limit.All)
            {
                loser = isBlockFull ? mine.Idle.First?.Value : _mostIdleLast.Max?.Idle.First?.Value;
                if (loser is null || (isBlockFull ? mine.Connections > limit.PerAddress : _connections > limit.All))
                    return isBlockFull ? ConnectionScope.Address : ConnectionScope.All;
                LeaveUnderLock(loser);
                hasEvicted = true;
            }

            _blocks[block] = mine; // eviction may have removed its last connection
            mine.IsBounded = isBounded;
            mine.Connections++;
            _connections++;
            place = new ConnectionPlace(this, mine, close);
            BeIdle(place);
        }

        loser?.Close();
        return ConnectionScope.None;
    }

    internal bool TryBeginRequest(ConnectionPlace place)
    {
        ConnectionLimits limit = limits();
        lock (_lock)
        {
            if (place.HasLeft || _requests >= limit.All || (place.Block.IsBounded && place.Block.Requests >= limit.PerAddress))
                return false;
            EndIdleness(place);
            place.Requests++;
            place.Block.Requests++;
            _requests++;
            return true;
        }
    }

    internal void EndRequest(ConnectionPlace place)
    {
        lock (_lock)
        {
            place.Block.Requests--;
            _requests--;
            if (--place.Requests == 0 && !place.HasLeft)
                BeIdle(place);
            Forget(place.Block);
        }
    }

    internal void Leave(ConnectionPlace place)
    {
        lock (_lock)
        {
            LeaveUnderLock(place);
        }
    }

    private void LeaveUnderLock(ConnectionPlace place)
    {
        if (place.HasLeft)
            return;
        place.HasLeft = true;
        EndIdleness(place);
        _connections--;
        place.Block.Connections--;
        Forget(place.Block);
    }

    // A request may outlive its connection. If its block were forgotten, the address could have more requests under way than it may.
    private void Forget(Block block)
    {
        if (block is { Connections: 0, Requests: 0 })
            _blocks.Remove(block.Name);
    }

    private void BeIdle(ConnectionPlace place)
    {
        _mostIdleLast.Remove(place.Block);
        place.Idle = place.Block.Idle.AddLast(place);
        _mostIdleLast.Add(place.Block);
    }

    private void EndIdleness(ConnectionPlace place)
    {
        if (place.Idle is not { } idle)
            return;
        place.Idle = null;
        _mostIdleLast.Remove(place.Block);
        place.Block.Idle.Remove(idle);
        if (place.Block.Idle.Count > 0)
            _mostIdleLast.Add(place.Block);
    }

    /// <summary>The connections and requests of one address block.</summary>
    /// <param name="name">The block.</param>
    internal sealed class Block(string name)
    {
        /// <summary>Orders blocks by their number of idle connections, fewest first.</summary>
        public static Comparer<Block> ByIdle { get; } = Comparer<Block>.Create(static (a, b) =>
            a.Idle.Count != b.Idle.Count ? a.Idle.Count.CompareTo(b.Idle.Count) : string.CompareOrdinal(a.Name, b.Name));

        public string Name => name;

        public bool IsBounded { get; set; }

        public int Connections { get; set; }

        public int Requests { get; set; }

        /// <summary>Connections without a request under way, longest idle first.</summary>
        public LinkedList<ConnectionPlace> Idle { get; } = new();
    }
}
