using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Stands in for the features by which YARP takes over a client's connection, so that it gets a stream of ours instead of the client's
/// own. Marks the request as gated at the same time: see <see cref="GatedUpgradeTransform"/>.
/// </summary>
internal sealed class GatedUpgrade : IHttpUpgradeFeature, IHttpExtendedConnectFeature
{
    private readonly IHttpUpgradeFeature? _upgrade;
    private readonly IHttpExtendedConnectFeature? _connect;
    private readonly Func<Stream, GatedStream> _wrap;
    private GatedStream? _client;

    private GatedUpgrade(HttpContext context, Func<Stream, GatedStream> wrap)
    {
        _upgrade = context.Features.Get<IHttpUpgradeFeature>();
        _connect = context.Features.Get<IHttpExtendedConnectFeature>();
        _wrap = wrap;
    }

    public bool IsUpgradableRequest => _upgrade?.IsUpgradableRequest == true;

    public bool IsExtendedConnect => _connect?.IsExtendedConnect == true;

    public string? Protocol => _connect?.Protocol;

    /// <summary>
    /// From now on, whoever upgrades the request gets what <paramref name="wrap"/> makes of the client's stream, and after that what this
    /// makes of the backend's.
    /// </summary>
    public static void Install(HttpContext context, Func<Stream, GatedStream> wrap)
    {
        var gated = new GatedUpgrade(context, wrap);
        context.Features.Set<IHttpUpgradeFeature>(gated);
        context.Features.Set<IHttpExtendedConnectFeature>(gated);
        context.Features.Set(gated);
    }

    public async Task<Stream> UpgradeAsync() => Wrap(await _upgrade!.UpgradeAsync());

    public async ValueTask<Stream> AcceptAsync() => Wrap(await _connect!.AcceptAsync());

    /// <summary>The backend's content as the proxy is to see it.</summary>
    public HttpContent Wrap(HttpContent backend) => new Content(backend, this);

    private GatedStream Wrap(Stream client)
    {
        _client = _wrap(client);
        return _client;
    }

    private sealed class Content(HttpContent backend, GatedUpgrade gated) : HttpContent
    {
        protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult(gated._client!.Face(backend.ReadAsStream()));

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
