namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>A connection's place in its listener's budget. It is given back exactly once, however the connection ends.</summary>
/// <param name="budget">Where it was taken.</param>
/// <param name="block">The address block.</param>
/// <param name="close">Closes the connection; its handle is free when this returns.</param>
internal sealed class ConnectionPlace(ConnectionBudget budget, ConnectionBudget.Block block, Action close) : IDisposable
{
    internal ConnectionBudget.Block Block => block;

    // Guarded by the budget's lock.
    internal LinkedListNode<ConnectionPlace>? Idle { get; set; }

    internal int Requests { get; set; }

    internal bool HasLeft { get; set; }

    /// <summary>A request begins that the connection must not be closed for another in the middle of. False: there are too many, or it is closed.</summary>
    public bool TryBeginRequest() => budget.TryBeginRequest(this);

    /// <summary>The request is over.</summary>
    public void EndRequest() => budget.EndRequest(this);

    /// <summary>The connection is gone.</summary>
    public void Dispose() => budget.Leave(this);

    internal void Close() => close();
}
