using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// The handshake of the OpenClaw gateway protocol, versions 3 and 4: the backend challenges, the device answers with a signed
/// <c>connect</c> request. The backend is opened first, since it makes the challenge, and gets that request only once it is decided.
/// </summary>
internal sealed class ConnectFrameHandshake : IDeviceHandshake, IDisposable
{
    private readonly AdmissionDesk _desk;
    private readonly Gatekeeper _gatekeeper;
    private readonly Draining _draining;
    private readonly TimeProvider _time;
    private readonly HandshakeLog _log;
    private readonly ConnectDecision _decision;
    private readonly SecondQuestion _secondQuestion;
    private readonly PairingWaits _waits;

    public ConnectFrameHandshake(
        Gatekeeper gatekeeper,
        AdmissionDesk desk,
        BackendPairings pairings,
        DevicelessGatekeeper deviceless,
        PairingWaits waits,
        Draining draining,
        IDeviceAuthSettings settings,
        TimeProvider time,
        PacedLogger<ConnectFrameHandshake> logger)
    {
        (_desk, _gatekeeper, _waits, _draining, _time) = (desk, gatekeeper, waits, draining, time);
        _log = new HandshakeLog(logger);
        _decision = new ConnectDecision(desk, gatekeeper, deviceless, waits, draining, settings, time, _log);
        _secondQuestion = new SecondQuestion(pairings, gatekeeper, settings, new BackendLog(logger));
    }

    public async Task InvokeAsync(HandshakeRequest request)
    {
        await using var connection = new ConnectFrameConnection(
            request.Handshake, _decision, _secondQuestion, _desk, _gatekeeper, _waits, _draining, _time, _log);
        request.Handshake.Trace?.AwaitBackend();
        await request.ForwardUndecidedAsync(connection);
    }

    /// <inheritdoc/>
    public void Dispose() => _decision.Dispose();
}
