namespace ProxyGateway.Serving;

/// <summary>A connection's place in its listener's budget. It is freed exactly once, however the connection ends.</summary>
/// <param name="budget">The budget.</param>
/// <param name="block">The address block.</param>
/// <param name="close">Closes the connection; its handle is free when this returns.</param>
internal sealed class ConnectionPlace(ConnectionBudget budget, ConnectionBudget.Block block, Action close) : IDisposable
{
    internal ConnectionBudget.Block Block => block;

    // Guarded by the budget's lock.
    internal LinkedListNode<ConnectionPlace>? Idle { get; set; }

    internal int Requests { get; set; }

    internal bool HasLeft { get; set; }

    /// <summary>
    /// Begins a request, during which the connection is not closed for another. False: there are too many, or the connection is already
    /// closed.
    /// </summary>
    public bool TryBeginRequest() => budget.TryBeginRequest(this);

    /// <summary>Ends the request.</summary>
    public void EndRequest() => budget.EndRequest(this);

    /// <summary>Frees the place: the connection is gone.</summary>
    public void Dispose() => budget.Leave(this);

    internal void Close() => close();
}
