namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>Remembers a bounded number of clients, and forgets the longest unseen first. Not thread-safe.</summary>
/// <typeparam name="T">The value for each client.</typeparam>
/// <param name="capacity">How many are remembered.</param>
/// <param name="mayForget">Which values may be forgotten; null: all. Among <paramref name="capacity"/> values there must always be
/// one.</param>
public sealed class BoundedMemory<T>(int capacity, Predicate<T>? mayForget = null)
{
    private readonly Dictionary<string, LinkedListNode<(string Client, T Value)>> _clients = [];
    private readonly LinkedList<(string Client, T Value)> _longestUnseenFirst = [];

    /// <summary>How many are remembered.</summary>
    public int Count => _clients.Count;

    /// <summary>The value for a client, without marking the client as seen.</summary>
    public bool TryGet(string client, out T value)
    {
        bool isKnown = _clients.TryGetValue(client, out LinkedListNode<(string Client, T Value)>? node);
        value = isKnown ? node!.Value.Value : default!;
        return isKnown;
    }

    /// <summary>The value for a client, which is marked as seen.</summary>
    /// <param name="client">The client.</param>
    /// <param name="create">Makes the value for a client that is new or was forgotten.</param>
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
