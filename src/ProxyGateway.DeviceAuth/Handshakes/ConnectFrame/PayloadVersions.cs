namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// Remembers which version of the payload clients of a kind have signed last. A request does not say it, the gate tries both, and a failed
/// verification costs as much as a successful one: so it tries the likelier one first. A wrong guess costs only one verification.
/// </summary>
internal sealed class PayloadVersions
{
    // Kinds may share a slot. Which ones do differs in every process, so an attacker cannot choose whom to mislead.
    private readonly bool[] _signsVersionTwo = new bool[256];

    /// <summary>Whether clients of this one's kind sign version 2 rather than 3.</summary>
    public ref bool SignsVersionTwo(ConnectRequest request) =>
        ref _signsVersionTwo[HashCode.Combine(request.ClientId, request.MaxProtocol) & 0xFF];
}
