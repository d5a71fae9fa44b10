using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>How many pairing requests may be open at a time.</summary>
/// <param name="InAll">In the whole registry.</param>
/// <param name="PerAddress">From one client address.</param>
/// <remarks><see cref="PendingShare"/> says which requests count together.</remarks>
public readonly record struct PendingLimits(int InAll, int PerAddress)
{
    /// <summary>From one subnet.</summary>
    public int PerSubnet { get; init; } = int.MaxValue;

    /// <summary>Of devices that no operator has approved, at remote addresses.</summary>
    public int RemoteStrangers { get; init; } = int.MaxValue;

    /// <summary>Of devices that no operator has approved, from networks that rules name.</summary>
    public int NetworkStrangers { get; init; } = int.MaxValue;

    /// <summary>How many strangers' requests may be open from a locality.</summary>
    public int OfStrangers(LocalityKind locality) => locality switch
    {
        LocalityKind.Remote => RemoteStrangers,
        LocalityKind.Network => NetworkStrangers,
        _ => InAll,
    };

    /// <summary>No limits.</summary>
    public static PendingLimits None { get; } = new(int.MaxValue, int.MaxValue);
}
