using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>
/// Stands in for the features by which YARP takes over a client's connection, so that it gets a stream of ours instead of the client's
/// own. Marks the request as gated at the same time: see <see cref="UpgradeOnlyTransform"/>.
/// </summary>
internal sealed class GatedUpgrade : IHttpUpgradeFeature, IHttpExtendedConnectFeature
{
    private readonly IHttpUpgradeFeature? _upgrade;
    private readonly IHttpExtendedConnectFeature? _connect;
    private readonly Func<Stream, Stream> _wrap;

    private GatedUpgrade(HttpContext context, Func<Stream, Stream> wrap)
    {
        _upgrade = context.Features.Get<IHttpUpgradeFeature>();
        _connect = context.Features.Get<IHttpExtendedConnectFeature>();
        _wrap = wrap;
    }

    public bool IsUpgradableRequest => _upgrade?.IsUpgradableRequest == true;

    public bool IsExtendedConnect => _connect?.IsExtendedConnect == true;

    public string? Protocol => _connect?.Protocol;

    /// <summary>From now on, whoever upgrades the request gets what <paramref name="wrap"/> makes of the client's stream.</summary>
    public static void Install(HttpContext context, Func<Stream, Stream> wrap)
    {
        var gated = new GatedUpgrade(context, wrap);
        context.Features.Set<IHttpUpgradeFeature>(gated);
        context.Features.Set<IHttpExtendedConnectFeature>(gated);
        context.Features.Set(gated);
    }

    public async Task<Stream> UpgradeAsync() => _wrap(await _upgrade!.UpgradeAsync());

    public async ValueTask<Stream> AcceptAsync() => _wrap(await _connect!.AcceptAsync());
}
