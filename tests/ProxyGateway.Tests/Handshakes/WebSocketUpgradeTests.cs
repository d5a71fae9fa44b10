using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyGateway.DeviceAuth.Handshakes;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>Only what the proxy takes for a WebSocket upgrade is one.</summary>
public sealed class WebSocketUpgradeTests
{
    [Theory]
    [InlineData("HTTP/2", "websocket", nameof(UpgradeKind.WebSocket))]
    [InlineData("HTTP/2", "connect-udp", nameof(UpgradeKind.Other))]
    [InlineData("HTTP/3", "websocket", nameof(UpgradeKind.Other))]
    [InlineData("HTTP/3", "webtransport", nameof(UpgradeKind.Other))]
    public void Extended_connect_is_a_WebSocket_in_HTTP2_only(string version, string protocol, string expected)
    {
        var context = new DefaultHttpContext();
        context.Request.Protocol = version;
        context.Request.Method = HttpMethods.Connect;
        context.Request.Headers.SecWebSocketVersion = "13";
        context.Features.Set<IHttpExtendedConnectFeature>(new ExtendedConnect(protocol));

        WebSocketUpgrade.Classify(context).ToString().ShouldBe(expected);
    }

    private sealed class ExtendedConnect(string protocol) : IHttpExtendedConnectFeature
    {
        public bool IsExtendedConnect => true;

        public string? Protocol => protocol;

        public ValueTask<Stream> AcceptAsync() => throw new NotSupportedException();
    }
}
