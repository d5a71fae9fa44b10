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
    private readonly Func<Stream, Stream> _wrapClient;
    private readonly Func<Stream, Stream> _wrapBackend;

    private GatedUpgrade(HttpContext context, Func<Stream, Stream> wrapClient, Func<Stream, Stream> wrapBackend)
    {
        _upgrade = context.Features.Get<IHttpUpgradeFeature>();
        _connect = context.Features.Get<IHttpExtendedConnectFeature>();
        (_wrapClient, _wrapBackend) = (wrapClient, wrapBackend);
    }

    public bool IsUpgradableRequest => _upgrade?.IsUpgradableRequest == true;

    public bool IsExtendedConnect => _connect?.IsExtendedConnect == true;

    public string? Protocol => _connect?.Protocol;

    /// <summary>
    /// From now on, whoever upgrades the request gets what <paramref name="wrapClient"/> makes of the client's stream, and after that what
    /// <paramref name="wrapBackend"/> makes of the backend's.
    /// </summary>
    public static void Install(HttpContext context, Func<Stream, Stream> wrapClient, Func<Stream, Stream> wrapBackend)
    {
        var gated = new GatedUpgrade(context, wrapClient, wrapBackend);
        context.Features.Set<IHttpUpgradeFeature>(gated);
        context.Features.Set<IHttpExtendedConnectFeature>(gated);
        context.Features.Set(gated);
    }

    public async Task<Stream> UpgradeAsync() => _wrapClient(await _upgrade!.UpgradeAsync());

    public async ValueTask<Stream> AcceptAsync() => _wrapClient(await _connect!.AcceptAsync());

    /// <summary>The backend's content as the proxy is to see it.</summary>
    public HttpContent Wrap(HttpContent backend) => new Content(backend, _wrapBackend);

    private sealed class Content(HttpContent backend, Func<Stream, Stream> wrap) : HttpContent
    {
        protected override async Task<Stream> CreateContentReadStreamAsync() => wrap(await backend.ReadAsStreamAsync());

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
