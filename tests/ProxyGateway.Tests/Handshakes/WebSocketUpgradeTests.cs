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

    // The upgrade of RFC 6455 §4.1, with this header as it stands here (null: not at all), and what it is then.
    [Theory]
    [InlineData("Upgrade", "websocket", nameof(UpgradeKind.WebSocket))]
    [InlineData("Upgrade", "WebSocket", nameof(UpgradeKind.WebSocket))]
    [InlineData("Upgrade", "h2c", nameof(UpgradeKind.Other))]
    [InlineData("Upgrade", "websocket, h2c", nameof(UpgradeKind.Other))]
    [InlineData("Upgrade", "websocket|websocket", nameof(UpgradeKind.Other))]
    [InlineData("Upgrade", null, nameof(UpgradeKind.Other))]
    [InlineData("Sec-WebSocket-Key", null, nameof(UpgradeKind.Other))]
    [InlineData("Sec-WebSocket-Key", "", nameof(UpgradeKind.Other))]
    [InlineData("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==|AAAAAAAAAAAAAAAAAAAAAA==", nameof(UpgradeKind.Other))]
    [InlineData("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAA", nameof(UpgradeKind.Other))]
    [InlineData("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAAA=", nameof(UpgradeKind.Other))]
    [InlineData("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAA    ", nameof(UpgradeKind.Other))]
    [InlineData("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA== ", nameof(UpgradeKind.Other))]
    [InlineData("Sec-WebSocket-Key", "!AAAAAAAAAAAAAAAAAAAAA==", nameof(UpgradeKind.Other))]
    [InlineData("Sec-WebSocket-Version", "8", nameof(UpgradeKind.OtherVersion))]
    [InlineData("Sec-WebSocket-Version", null, nameof(UpgradeKind.OtherVersion))]
    [InlineData("Sec-WebSocket-Version", "13|13", nameof(UpgradeKind.OtherVersion))]
    [InlineData("Origin", "x", nameof(UpgradeKind.WebSocket))]
    public void An_upgrade_has_each_of_its_headers_once(string name, string? value, string expected)
    {
        DefaultHttpContext context = Upgrade();
        context.Request.Headers.Remove(name);
        if (value is not null)
            context.Request.Headers[name] = value.Split('|');

        WebSocketUpgrade.Classify(context).ToString().ShouldBe(expected);
    }

    [Fact]
    public void A_request_that_only_looks_like_an_upgrade_is_none()
    {
        DefaultHttpContext post = Upgrade();
        post.Request.Method = HttpMethods.Post;
        WebSocketUpgrade.Classify(post).ShouldBe(UpgradeKind.Other);

        DefaultHttpContext notUpgradable = Upgrade();
        notUpgradable.Features.Set<IHttpUpgradeFeature>(new Upgradable(isOne: false));
        WebSocketUpgrade.Classify(notUpgradable).ShouldBe(UpgradeKind.Other, "the server would not let it be upgraded");
        notUpgradable.Request.Headers.Remove("Upgrade");
        WebSocketUpgrade.Classify(notUpgradable).ShouldBe(UpgradeKind.None);
        notUpgradable.Features.Set<IHttpUpgradeFeature>(null);
        WebSocketUpgrade.Classify(notUpgradable).ShouldBe(UpgradeKind.None);
        notUpgradable.Request.Method = HttpMethods.Connect;
        WebSocketUpgrade.Classify(notUpgradable).ShouldBe(UpgradeKind.Other);
    }

    [Theory]
    [InlineData("8", nameof(UpgradeKind.OtherVersion))]
    [InlineData("13", nameof(UpgradeKind.WebSocket))]
    public void Over_HTTP2_the_version_counts_too(string version, string expected)
    {
        var context = new DefaultHttpContext();
        context.Request.Protocol = "HTTP/2";
        context.Request.Headers.SecWebSocketVersion = version;
        context.Features.Set<IHttpExtendedConnectFeature>(new ExtendedConnect("WEBSOCKET"));

        WebSocketUpgrade.Classify(context).ToString().ShouldBe(expected);
    }

    private static DefaultHttpContext Upgrade()
    {
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpUpgradeFeature>(new Upgradable(isOne: true));
        context.Request.Method = HttpMethods.Get;
        context.Request.Headers.Upgrade = "websocket";
        context.Request.Headers.SecWebSocketKey = "AAAAAAAAAAAAAAAAAAAAAA==";
        context.Request.Headers.SecWebSocketVersion = "13";
        return context;
    }

    private sealed class Upgradable(bool isOne) : IHttpUpgradeFeature
    {
        public bool IsUpgradableRequest => isOne;

        public Task<Stream> UpgradeAsync() => throw new NotSupportedException();
    }

    private sealed class ExtendedConnect(string protocol) : IHttpExtendedConnectFeature
    {
        public bool IsExtendedConnect => true;

        public string? Protocol => protocol;

        public ValueTask<Stream> AcceptAsync() => throw new NotSupportedException();
    }
}
