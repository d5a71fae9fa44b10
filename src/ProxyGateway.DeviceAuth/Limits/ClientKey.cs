namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>One of the budgets that a client takes from.</summary>
/// <param name="Name">The owner of the budget.</param>
/// <param name="Multiple">The budget as a multiple of the limit for one address.</param>
internal readonly record struct ClientKey(string Name, int Multiple)
{
    /// <summary>This budget, where a single address has the limit.</summary>
    public int Budget(int limit) => (int)Math.Min(int.MaxValue, (long)limit * Multiple);
}
