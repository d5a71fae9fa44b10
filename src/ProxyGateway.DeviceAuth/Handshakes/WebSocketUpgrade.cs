using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>The kind of a request, concerning WebSockets.</summary>
internal enum UpgradeKind
{
    /// <summary>Plain HTTP.</summary>
    None,

    /// <summary>A well-formed WebSocket upgrade: RFC 6455 §4.1, or RFC 8441 for HTTP/2.</summary>
    WebSocket,

    /// <summary>A WebSocket upgrade of a version other than 13.</summary>
    OtherVersion,

    /// <summary>Any other request to switch from HTTP to another protocol.</summary>
    Other,
}

/// <summary>Distinguishes WebSocket upgrades from requests that look like one.</summary>
internal static class WebSocketUpgrade
{
    public const string Version = "13";
    private const string Protocol = "websocket";
    private const int KeySize = 16;
    private const int KeyTextLength = 24; // a longer one would contain blanks, which decoders skip

    public static UpgradeKind Classify(HttpContext context)
    {
        HttpRequest request = context.Request;
        if (context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect)
        {
            // The proxy would forward HTTP/3's as an ordinary request, with all that the client sends as its body.
            return HttpProtocol.IsHttp2(request.Protocol) && string.Equals(connect.Protocol, Protocol, StringComparison.OrdinalIgnoreCase)
                ? ClassifyVersion(request)
                : UpgradeKind.Other;
        }

        bool upgradable = context.Features.Get<IHttpUpgradeFeature>()?.IsUpgradableRequest == true;
        if (!upgradable && request.Headers.Upgrade.Count == 0 && !HttpMethods.IsConnect(request.Method))
            return UpgradeKind.None;
        if (!upgradable
            || !HttpMethods.IsGet(request.Method)
            || !string.Equals(Single(request.Headers.Upgrade), Protocol, StringComparison.OrdinalIgnoreCase)
            || Single(request.Headers.SecWebSocketKey) is not { } key || !IsKey(key))
        {
            return UpgradeKind.Other;
        }

        return ClassifyVersion(request);
    }

    private static UpgradeKind ClassifyVersion(HttpRequest request) =>
        Single(request.Headers.SecWebSocketVersion) == Version ? UpgradeKind.WebSocket : UpgradeKind.OtherVersion;

    private static string? Single(StringValues values) => values.Count == 1 ? values[0] : null;

    private static bool IsKey(string key)
    {
        Span<byte> bytes = stackalloc byte[KeySize];
        return key.Length == KeyTextLength && Convert.TryFromBase64String(key, bytes, out int length) && length == KeySize;
    }
}
