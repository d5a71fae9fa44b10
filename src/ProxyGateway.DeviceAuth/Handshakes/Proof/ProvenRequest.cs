using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>A request of an admitted device that the application answers itself: a session until it is over, which a removal or a narrowing ends by an abort.</summary>
internal sealed class ProvenRequest : IDisposable
{
    private readonly HandshakeContext _handshake;
    private readonly DeviceSession _session;
    private readonly AdmissionDesk _desk;
    private readonly CancellationTokenRegistration _onClosing;

    public ProvenRequest(HandshakeContext handshake, DeviceSession session, AdmissionDesk desk, bool wasPaired)
    {
        (_handshake, _session, _desk) = (handshake, session, desk);
        desk.Opened(handshake, session, wasPaired);
        _onClosing = session.ClosingToken.UnsafeRegister(static http => ((HttpContext)http!).Abort(), handshake.Http);
    }

    /// <summary>The request is over.</summary>
    public void Dispose()
    {
        _onClosing.Dispose();
        _desk.Ended(_handshake, _session);
        _session.Dispose();
    }
}
