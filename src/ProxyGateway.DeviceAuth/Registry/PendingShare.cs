using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The counts that an open request belongs to.</summary>
/// <param name="Address">The block of addresses that counts as one client. Requests without an address count together, by their
/// locality.</param>
/// <param name="Subnet">The subnet of the address; null where there is none, as on loopback.</param>
/// <param name="Strangers">
/// The locality of a device that no operator had approved when it asked. Null on loopback, where the address bounds them all, and for a
/// device that
/// an operator had approved: an attacker cannot make up one of those.
/// </param>
public readonly record struct PendingShare(string Address, string? Subnet, LocalityKind? Strangers)
{
    /// <summary>The shares that a request counts in.</summary>
    public static PendingShare Of(PairingRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        bool isStranger = (request.Reason == PairingReason.NotPaired || request.ByRulesAlone) && request.Locality != LocalityKind.Loopback;
        return new PendingShare(
            request.Address is null ? $"{AddressBlock.None}{request.Locality}" : AddressBlock.Of(request.Address),
            Localities.Subnet.Of(request.Address),
            isStranger ? request.Locality : null);
    }
}
