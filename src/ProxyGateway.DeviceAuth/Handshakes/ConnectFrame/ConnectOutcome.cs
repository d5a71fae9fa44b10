using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>What became of a <c>connect</c> request.</summary>
/// <param name="RequestId">Its id; empty if it has none.</param>
/// <param name="Refusal">What the client is told; null if it is admitted.</param>
/// <param name="Session">The session of an admitted device, to be disposed of when its connection is over.</param>
/// <param name="WasPaired">Whether it was covered already, and no rule had to approve it.</param>
internal readonly record struct ConnectOutcome(string RequestId, Refusal? Refusal, Session? Session = null, bool WasPaired = false);
