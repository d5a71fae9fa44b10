using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>The refusal of a client.</summary>
/// <param name="Closing">The close frame.</param>
/// <param name="Answer">The answer to its request, as a whole frame; null if there is no request to answer.</param>
internal sealed record Refusal(Closing Closing, byte[]? Answer = null)
{
    /// <summary>How long it is delayed, since too many handshakes of this client have failed.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>The place of a client that keeps its connection until its request is resolved; null if it does not.</summary>
    public PairingWait? Wait { get; init; }
}
