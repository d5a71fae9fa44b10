using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>
/// The handshake of the OpenClaw gateway protocol, versions 3 and 4: the backend challenges, the device answers with a signed
/// <c>connect</c> request. The backend is opened first, since the challenge is its own, and gets that request only once it is decided.
/// </summary>
internal sealed class ConnectFrameHandshake(
    Gatekeeper gatekeeper,
    ClientHistory history,
    Draining draining,
    GateMetrics metrics,
    IDeviceAuthSettings settings,
    TimeProvider time,
    PacedLogger<ConnectFrameHandshake> logger) : IDeviceHandshake, IDisposable
{
    private readonly ProofDesk _proofs = new();

    public string Name => DeviceAuthDefaults.ConnectFrame;

    public async Task InvokeAsync(HttpContext context, ClaimOrigin origin, DeviceAuthOptions options, HandshakePlace place, RequestDelegate next)
    {
        ConnectFrameStream? stream = null;
        GatedUpgrade.Install(context, client => stream = new ConnectFrameStream(
            client,
            new ConnectFrameGate(context, origin, options, settings, _proofs, place, gatekeeper, history, draining, metrics, time, logger),
            new SessionPipe(context, client, time)));
        try
        {
            await next(context);
        }
        finally
        {
            if (stream is not null)
                await stream.FinishAsync();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _proofs.Dispose();
}
