namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>The <see cref="Client.Keys"/> of a client from which paired devices were admitted recently.</summary>
/// <param name="bits">A bit for each key.</param>
internal readonly struct Familiarity(uint bits)
{
    private const int KeptPart = 4;

    /// <summary>Whether a paired device was admitted from this key's block.</summary>
    /// <param name="key">The key's index.</param>
    public bool this[int key] => (bits & (1u << key)) != 0;

    /// <summary>
    /// The part of a shared budget that a client may use. It is a quarter less if a paired device was admitted from within the budget's
    /// block, but not from the narrower block of this client: so neighbours cannot shut that device out.
    /// </summary>
    /// <param name="key">The budget's index; that of the client's own budget is 0.</param>
    /// <param name="limit">The whole budget.</param>
    public int ShareOf(int key, int limit) => key > 0 && this[key] && !this[key - 1] ? WithoutKept(limit) : limit;

    /// <summary>A budget without the quarter that is reserved for familiar clients.</summary>
    public static int WithoutKept(int limit) => limit - (limit / KeptPart);
}
