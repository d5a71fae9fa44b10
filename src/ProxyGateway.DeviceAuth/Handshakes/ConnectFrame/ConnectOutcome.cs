using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>The result of a <c>connect</c> request.</summary>
/// <param name="RequestId">Its id; empty if it has none.</param>
/// <param name="Refusal">The refusal; null if the device is admitted.</param>
/// <param name="Session">The session of an admitted device, to be disposed of when its connection ends.</param>
/// <param name="WasPaired">Whether a grant already covered it, so that no rule had to approve it.</param>
internal readonly record struct ConnectOutcome(
    string RequestId, Refusal? Refusal, Session? Session = null, bool WasPaired = false);
