using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>Why a client is not let in, and what it is told.</summary>
/// <param name="Closing">The close frame.</param>
/// <param name="Answer">The answer to its request, as a whole frame; null where there is no request to answer.</param>
internal sealed record Refusal(Closing Closing, byte[]? Answer = null)
{
    /// <summary>How long it is held back, since too many handshakes of this client have failed.</summary>
    public TimeSpan Delay { get; init; }
}
