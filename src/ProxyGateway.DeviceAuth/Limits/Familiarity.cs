namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>From which of a client's <see cref="Client.Keys"/> paired devices were admitted of late.</summary>
/// <param name="bits">A bit for each key.</param>
internal readonly struct Familiarity(uint bits)
{
    private const int KeptPart = 4;

    /// <summary>Whether one was admitted from there.</summary>
    /// <param name="key">The key's index.</param>
    public bool this[int key] => (bits & (1u << key)) != 0;

    /// <summary>
    /// What a client may use of a budget that it shares: less by a quarter if a paired device was admitted from within it, but not from the part of it that
    /// this client comes from. So neighbours cannot shut that device out.
    /// </summary>
    /// <param name="key">The budget's index; that of the client's own budget is 0.</param>
    /// <param name="limit">What the budget holds.</param>
    public int ShareOf(int key, int limit) => key > 0 && this[key] && !this[key - 1] ? WithoutKept(limit) : limit;

    /// <summary>What is left without the quarter that is kept for familiar clients.</summary>
    public static int WithoutKept(int limit) => limit - (limit / KeptPart);
}
