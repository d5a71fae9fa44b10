using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Replaces the features by which YARP takes over a client's connection, and the backend's content: YARP gets the streams of an
/// <see cref="IGatedConnection"/> instead of the raw ones. It also marks the request as gated: see <see cref="GatedUpgradeTransform"/>.
/// </summary>
internal sealed class GatedUpgrade : IHttpUpgradeFeature, IHttpExtendedConnectFeature
{
    private readonly IHttpUpgradeFeature? _upgrade;
    private readonly IHttpExtendedConnectFeature? _connect;
    private readonly IGatedConnection _connection;
    private bool _isAccepted;

    private GatedUpgrade(HttpContext context, IGatedConnection connection)
    {
        // An application that tries another destination runs the gate again; the feature of the first attempt is obsolete.
        var before = context.Features.Get<GatedUpgrade>();
        _upgrade = before is null ? context.Features.Get<IHttpUpgradeFeature>() : before._upgrade;
        _connect = before is null ? context.Features.Get<IHttpExtendedConnectFeature>() : before._connect;
        _connection = connection;
    }

    public bool IsUpgradableRequest => _upgrade?.IsUpgradableRequest == true;

    public bool IsExtendedConnect => _connect?.IsExtendedConnect == true;

    public string? Protocol => _connect?.Protocol;

    /// <summary>Whether the device is admitted already.</summary>
    public bool IsAdmitted => _connection.IsAdmitted;

    /// <summary>From now on the proxy gets the streams of <paramref name="connection"/>.</summary>
    public static void Install(HttpContext context, IGatedConnection connection)
    {
        var gated = new GatedUpgrade(context, connection);
        context.Features.Set<IHttpUpgradeFeature>(gated);
        context.Features.Set<IHttpExtendedConnectFeature>(gated);
        context.Features.Set(gated);
    }

    public async Task<Stream> UpgradeAsync() => Accept(await _upgrade!.UpgradeAsync());

    public async ValueTask<Stream> AcceptAsync() => Accept(await _connect!.AcceptAsync());

    /// <summary>The backend's content for the proxy.</summary>
    public HttpContent Wrap(HttpContent backend) => new Content(backend, this);

    private Stream Accept(Stream client)
    {
        _isAccepted = true;
        return _connection.Accept(client);
    }

    /// <summary>
    /// YARP awaits the stream of a switched response after it has upgraded the client, and before it copies anything. So the handshake
    /// happens here. Any other read of the content fails.
    /// </summary>
    private sealed class Content(HttpContent backend, GatedUpgrade gated) : HttpContent
    {
        protected override Task<Stream> CreateContentReadStreamAsync(CancellationToken cancellationToken) => gated._isAccepted
            ? gated._connection.ShakeHandsAsync(backend.ReadAsStream(CancellationToken.None), cancellationToken)
            : throw new InvalidOperationException("The proxy reads from the backend before it has upgraded the client.");

        protected override Task<Stream> CreateContentReadStreamAsync() => throw new NotSupportedException();

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => throw new NotSupportedException();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                backend.Dispose();
            base.Dispose(disposing);
        }
    }
}
