using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// The handshake of the OpenClaw gateway protocol, versions 3 and 4: the backend challenges, the device answers with a signed
/// <c>connect</c> request. The backend is opened first, since it makes the challenge, and gets that request only once it is decided.
/// </summary>
internal sealed class ConnectFrameHandshake : IDeviceHandshake, IDisposable
{
    private readonly Gatekeeper _gatekeeper;
    private readonly Draining _draining;
    private readonly GateMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly HandshakeLog _log;
    private readonly ConnectDecision _decision;

    public ConnectFrameHandshake(
        Gatekeeper gatekeeper,
        AdmissionFilters filters,
        ClientHistory history,
        Draining draining,
        GateMetrics metrics,
        IDeviceAuthSettings settings,
        TimeProvider time,
        PacedLogger<ConnectFrameHandshake> logger)
    {
        (_gatekeeper, _draining, _metrics, _time) = (gatekeeper, draining, metrics, time);
        _log = new HandshakeLog(logger);
        _decision = new ConnectDecision(gatekeeper, filters, history, draining, settings, time, _log);
    }

    public async Task InvokeAsync(
        HttpContext context, ClaimOrigin origin, DeviceAuthOptions options, HandshakePlace place, RequestDelegate next)
    {
        var handshake = new HandshakeContext(context, origin, options, place);
        await using var connection = new ConnectFrameConnection(handshake, _decision, _gatekeeper, _draining, _metrics, _time, _log);
        GatedUpgrade.Install(context, connection);
        await next(context);
    }

    /// <inheritdoc/>
    public void Dispose() => _decision.Dispose();
}
