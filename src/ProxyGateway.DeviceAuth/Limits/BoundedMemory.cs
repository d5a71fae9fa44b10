namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>What is remembered of clients: a bounded number of them, and the one that was unseen for longest is forgotten first. Not for several threads at a time.</summary>
/// <typeparam name="T">What is remembered of each.</typeparam>
/// <param name="capacity">How many are remembered.</param>
/// <param name="mayForget">Which may be forgotten; null: all. Of so many there must always be one.</param>
internal sealed class BoundedMemory<T>(int capacity, Predicate<T>? mayForget = null)
{
    private readonly Dictionary<string, LinkedListNode<(string Client, T Value)>> _clients = [];
    private readonly LinkedList<(string Client, T Value)> _longestUnseenFirst = [];

    /// <summary>How many are remembered.</summary>
    public int Count => _clients.Count;

    /// <summary>What is remembered of a client, without having seen it.</summary>
    public bool TryGet(string client, out T value)
    {
        bool isKnown = _clients.TryGetValue(client, out LinkedListNode<(string Client, T Value)>? node);
        value = isKnown ? node!.Value.Value : default!;
        return isKnown;
    }

    /// <summary>What is remembered of a client that is seen now.</summary>
    /// <param name="client">The client.</param>
    /// <param name="create">Makes what is remembered of one that was not seen before, or was forgotten.</param>
    public T See(string client, Func<T> create)
    {
        if (_clients.TryGetValue(client, out LinkedListNode<(string Client, T Value)>? node))
        {
            _longestUnseenFirst.Remove(node);
        }
        else
        {
            if (_clients.Count >= capacity)
                Forget();
            node = new LinkedListNode<(string Client, T Value)>((client, create()));
            _clients.Add(client, node);
        }

        _longestUnseenFirst.AddLast(node);
        return node.Value.Value;
    }

    private void Forget()
    {
        LinkedListNode<(string Client, T Value)> node = _longestUnseenFirst.First!;
        while (mayForget?.Invoke(node.Value.Value) == false)
            node = node.Next!;
        _clients.Remove(node.Value.Client);
        _longestUnseenFirst.Remove(node);
    }
}
