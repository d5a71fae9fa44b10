using System.Security.Cryptography;
using System.Text;
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

    /// <summary>The answer to the client's key, RFC 6455 §4.2.2.</summary>
    public static string AcceptOf(HttpRequest request)
    {
        string key = request.Headers.SecWebSocketKey.ToString();
#pragma warning disable CA5350 // RFC 6455 says SHA-1; nothing hangs on it but that the other side speaks WebSocket
        byte[] hash = SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
#pragma warning restore CA5350
        return Convert.ToBase64String(hash);
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
