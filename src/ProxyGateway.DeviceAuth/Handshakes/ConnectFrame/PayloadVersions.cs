namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// Which version of the payload clients of a kind were last seen to sign. Nothing in a request says it, both are always tried, and one
/// verified without success costs as much as one with: so the likelier one is tried first. A wrong guess costs a verification, and nothing else.
/// </summary>
internal sealed class PayloadVersions
{
    // Kinds may share a place. Which ones do is different in every process, so that nobody can choose whom to mislead.
    private readonly bool[] _signsVersionTwo = new bool[256];

    /// <summary>Whether clients of this one's kind sign version 2 rather than 3.</summary>
    public ref bool SignsVersionTwo(ConnectRequest request) =>
        ref _signsVersionTwo[HashCode.Combine(request.ClientId, request.MaxProtocol) & 0xFF];
}
