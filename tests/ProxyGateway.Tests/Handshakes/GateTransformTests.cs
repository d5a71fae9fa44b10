using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>Which answer of a backend to an upgrade passes the gate, what the client gets of it, and that nothing is forwarded that has not been through the gate.</summary>
public sealed class GateTransformTests
{
    private const string Key = "dGhlIHNhbXBsZSBub25jZQ==";
    private const string Accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; // of that key, RFC 6455 §1.3

    // A backend's answer to an upgrade over HTTP/1.1: status, Upgrade, Sec-WebSocket-Accept; and whether it switches.
    [Theory]
    [InlineData(101, "websocket", Accept, true)]
    [InlineData(101, "WebSocket", Accept, true)]
    [InlineData(101, "h2c", Accept, false)]
    [InlineData(101, null, Accept, false)]
    [InlineData(101, "websocket", null, false)]
    [InlineData(101, "websocket", "AAAA", false)]
    [InlineData(200, "websocket", Accept, false)]
    [InlineData(401, null, null, false)]
    [InlineData(302, null, null, false)]
    public async Task Only_a_switch_passes(int status, string? upgrade, string? accept, bool switches)
    {
        using HttpResponseMessage answer = Answer(status, upgrade, accept);

        (DefaultHttpContext http, ResponseTransformContext response) = await RespondAsync(answer, "HTTP/1.1");

        http.Response.Headers.ContainsKey("Set-Cookie").ShouldBeFalse("cookies are for those who are let in");
        http.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase.ShouldBeNull();
        response.SuppressResponseBody.ShouldBe(!switches);
        http.Response.StatusCode.ShouldBe(switches ? 101 : 502);
        http.Response.Headers.Select(h => $"{h.Key}: {h.Value}").ShouldBe(
            switches ? ["Connection: Upgrade", "Upgrade: websocket", $"Sec-WebSocket-Accept: {Accept}"] : [], ignoreOrder: true);
        await Should.ThrowAsync<InvalidOperationException>(async () => await ReadAsync(answer, switches));
    }

    // What the client offers, what the backend chooses, and what the client is told.
    [Theory]
    [InlineData("a, b", "b", "b")]
    [InlineData("a|b", "b", "b")]
    [InlineData("a, b", "c", null)]
    [InlineData("a, b", "B", null)]
    [InlineData("a, b", "a, b", null)]
    [InlineData("a", null, null)]
    [InlineData(null, "a", null)]
    public async Task A_subprotocol_is_one_that_the_client_offers(string? offered, string? chosen, string? expected)
    {
        using HttpResponseMessage answer = Answer(101, "websocket", Accept);
        if (chosen is not null)
            answer.Headers.TryAddWithoutValidation("Sec-WebSocket-Protocol", chosen);

        (DefaultHttpContext http, _) = await RespondAsync(answer, "HTTP/1.1", offered);

        ((string?)http.Response.Headers["Sec-WebSocket-Protocol"]).ShouldBe(expected);
    }

    // For a client over HTTP/2 the proxy has made the key, and checks what the backend made of it.
    [Theory]
    [InlineData("AAAA")]
    [InlineData(null)]
    public async Task Over_HTTP2_the_proxy_checks_the_backends_word_itself(string? accept)
    {
        using HttpResponseMessage answer = Answer(101, "websocket", accept);

        (DefaultHttpContext http, ResponseTransformContext response) = await RespondAsync(answer, "HTTP/2");

        response.SuppressResponseBody.ShouldBeFalse();
        http.Response.Headers.Select(h => $"{h.Key}: {h.Value}").ShouldBe(accept is null ? [] : [$"Sec-WebSocket-Accept: {accept}"]);
    }

    // A backend over HTTP/2 says 200 to extended CONNECT, RFC 8441 §5.
    [Theory]
    [InlineData("CONNECT", "websocket", 2, 200, true)]
    [InlineData("CONNECT", null, 2, 200, false)]
    [InlineData("GET", "websocket", 2, 200, false)]
    [InlineData("CONNECT", "websocket", 1, 200, false)]
    [InlineData("CONNECT", "websocket", 2, 204, false)]
    public async Task Over_HTTP2_a_backend_switches_with_200(string method, string? protocol, int version, int status, bool switches)
    {
        using HttpResponseMessage answer = Answer(status, upgrade: null, accept: null);
        answer.Version = new Version(version, 0);
        answer.RequestMessage = new HttpRequestMessage(new HttpMethod(method), "http://backend/") { Headers = { Protocol = protocol } };

        (_, ResponseTransformContext response) = await RespondAsync(answer, "HTTP/2");

        response.SuppressResponseBody.ShouldBe(!switches);
    }

    // An admitted device gets any answer but a 101 that does not switch: after that the proxy would relay bytes that nobody watches.
    [Theory]
    [InlineData(101, "websocket", Accept, 101)]
    [InlineData(101, "h2c", Accept, 502)]
    [InlineData(101, "websocket", "AAAA", 502)]
    [InlineData(200, null, null, 200)]
    [InlineData(401, null, null, 401)]
    public async Task An_admitted_device_gets_what_the_backend_answers(int status, string? upgrade, string? accept, int expected)
    {
        using HttpResponseMessage answer = Answer(status, upgrade, accept);

        (DefaultHttpContext http, ResponseTransformContext response) = await RespondAsync(answer, "HTTP/1.1", isAdmitted: true);

        (http.Response.StatusCode, response.SuppressResponseBody).ShouldBe((expected, expected == 502));
        http.Response.Headers.ContainsKey("Set-Cookie").ShouldBe(expected != 502);
        http.Response.Headers.ContainsKey("Upgrade").ShouldBe(expected == 101);
        http.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase.ShouldBe(expected is 101 or 502 ? null : "As the backend calls it");
    }

    // The proxy has copied the backend's choice by then.
    [Theory]
    [InlineData("a, b", "b")]
    [InlineData("a", null)]
    public async Task An_admitted_devices_subprotocol_is_one_that_it_offers(string offered, string? expected)
    {
        using HttpResponseMessage answer = Answer(101, "websocket", Accept);
        answer.Headers.TryAddWithoutValidation("Sec-WebSocket-Protocol", "b");

        (DefaultHttpContext http, _) = await RespondAsync(answer, "HTTP/1.1", offered, isAdmitted: true);

        ((string?)http.Response.Headers["Sec-WebSocket-Protocol"]).ShouldBe(expected);
    }

    [Fact]
    public async Task An_ungated_request_passes_unchanged()
    {
        using HttpResponseMessage answer = Answer(200, upgrade: null, accept: null);

        (DefaultHttpContext http, ResponseTransformContext response) = await RespondAsync(answer, "HTTP/1.1", isGated: false);

        (http.Response.StatusCode, response.SuppressResponseBody, http.Response.Headers.ContainsKey("Set-Cookie")).ShouldBe((200, false, true));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Trailers_of_a_gated_answer_are_left_out(bool isGated)
    {
        TransformBuilderContext transforms = Transforms(new GatedUpgradeTransform());
        var http = new DefaultHttpContext();
        var trailers = new SomeTrailers();
        http.Features.Set<IHttpResponseTrailersFeature>(trailers);
        if (isGated)
            GatedUpgrade.Install(http, new Connection());

        await transforms.ResponseTrailersTransforms.ShouldHaveSingleItem().ApplyAsync(new ResponseTrailersTransformContext { HttpContext = http });

        trailers.Trailers.Count.ShouldBe(isGated ? 0 : 1);
    }

    // ---- nothing passes without the gate

    [Theory]
    [InlineData("gated", 200)]
    [InlineData("as another route", 500)]
    [InlineData("not gated", 500)]
    public async Task A_request_that_the_gate_has_not_seen_is_not_forwarded(string how, int status)
    {
        using var logger = new PacedLogger<GateRequiredTransform>(NullLogger<GateRequiredTransform>.Instance, TimeProvider.System);
        TransformBuilderContext transforms = Transforms(new GateRequiredTransform(logger));
        (RouteModel route, RouteModel other) = (Route("a"), Route("b"));
        var http = new DefaultHttpContext();
        http.Features.Set<IReverseProxyFeature>(new ReverseProxyFeature { Route = route });
        if (how != "not gated")
            http.Features.Set(new GatePass(how == "gated" ? route : other));

        await transforms.RequestTransforms.ShouldHaveSingleItem().ApplyAsync(new RequestTransformContext { HttpContext = http });

        http.Response.StatusCode.ShouldBe(status);
    }

    // ---- what stands in for the server's features

    [Fact]
    public void The_features_that_the_proxy_finds_say_what_the_servers_own_say()
    {
        var http = new DefaultHttpContext();
        GatedUpgrade.Install(http, new Connection());
        GatedUpgrade none = http.Features.GetRequiredFeature<GatedUpgrade>();
        (none.IsUpgradableRequest, none.IsExtendedConnect, none.Protocol).ShouldBe((false, false, null));

        var server = new Server();
        http = new DefaultHttpContext();
        http.Features.Set<IHttpUpgradeFeature>(server);
        http.Features.Set<IHttpExtendedConnectFeature>(server);
        for (int attempt = 0; attempt < 2; attempt++)
        {
            GatedUpgrade.Install(http, new Connection()); // once more, where the application tries another destination
            var upgrade = http.Features.GetRequiredFeature<IHttpUpgradeFeature>();
            var connect = http.Features.GetRequiredFeature<IHttpExtendedConnectFeature>();
            (upgrade.IsUpgradableRequest, connect.IsExtendedConnect, connect.Protocol).ShouldBe((true, true, "websocket"));
        }
    }

    [Fact]
    public async Task The_proxy_gets_what_the_connection_gives_it_however_it_asks()
    {
        var server = new Server();
        var http = new DefaultHttpContext();
        http.Features.Set<IHttpUpgradeFeature>(server);
        http.Features.Set<IHttpExtendedConnectFeature>(server);
        var connection = new Connection();
        GatedUpgrade.Install(http, new Connection());
        GatedUpgrade.Install(http, connection);

        (await http.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync()).ShouldBeSameAs(connection.Client);
        connection.Accepted.ShouldBeSameAs(server.Stream, "the server's, and not what stood here for the attempt before");
        (await http.Features.GetRequiredFeature<IHttpExtendedConnectFeature>().AcceptAsync()).ShouldBeSameAs(connection.Client);
    }

    private static async Task ReadAsync(HttpResponseMessage answer, bool isGated)
    {
        if (!isGated)
            throw new InvalidOperationException("It is the backend's own.");
        await answer.Content.ReadAsStreamAsync(); // nobody has upgraded the client
    }

    private static async Task<(DefaultHttpContext Http, ResponseTransformContext Response)> RespondAsync(
        HttpResponseMessage answer, string protocol, string? offered = null, bool isGated = true, bool isAdmitted = false)
    {
        var http = new DefaultHttpContext();
        http.Request.Protocol = protocol;
        http.Request.Headers.SecWebSocketKey = Key;
        if (offered is not null)
            http.Request.Headers.SecWebSocketProtocol = offered.Split('|');
        http.Response.StatusCode = (int)answer.StatusCode;
        http.Response.Headers.SetCookie = "a=b";
        if (answer.Headers.TryGetValues("Sec-WebSocket-Protocol", out IEnumerable<string>? chosen))
            http.Response.Headers.SecWebSocketProtocol = chosen.Single();
        http.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = "As the backend calls it";
        if (isGated)
            GatedUpgrade.Install(http, new Connection { IsAdmitted = isAdmitted });
        var response = new ResponseTransformContext { HttpContext = http, ProxyResponse = answer };

        await Transforms(new GatedUpgradeTransform()).ResponseTransforms.ShouldHaveSingleItem().ApplyAsync(response);
        return (http, response);
    }

    private static HttpResponseMessage Answer(int status, string? upgrade, string? accept)
    {
        var answer = new HttpResponseMessage((HttpStatusCode)status);
        if (upgrade is not null)
            answer.Headers.TryAddWithoutValidation("Upgrade", upgrade);
        if (accept is not null)
            answer.Headers.TryAddWithoutValidation("Sec-WebSocket-Accept", accept);
        return answer;
    }

    private static TransformBuilderContext Transforms(ITransformProvider provider)
    {
        var context = new TransformBuilderContext();
        provider.Apply(context);
        return context;
    }

    private static RouteModel Route(string id) => new(new RouteConfig { RouteId = id, Match = new RouteMatch() }, cluster: null, HttpTransformer.Default);

    private sealed class Connection : IGatedConnection
    {
        public Stream Client { get; } = new EndedStream();

        public Stream? Accepted { get; private set; }

        public bool IsAdmitted { get; init; }

        public Stream Accept(Stream client)
        {
            Accepted = client;
            return Client;
        }

        public Task<Stream> ShakeHandsAsync(Stream backend, CancellationToken cancellationToken) => Task.FromResult(backend);
    }

    private sealed class Server : IHttpUpgradeFeature, IHttpExtendedConnectFeature
    {
        public Stream Stream { get; } = new EndedStream();

        public bool IsUpgradableRequest => true;

        public bool IsExtendedConnect => true;

        public string? Protocol => "websocket";

        public Task<Stream> UpgradeAsync() => Task.FromResult(Stream);

        public ValueTask<Stream> AcceptAsync() => new(Stream);
    }

    private sealed class SomeTrailers : IHttpResponseTrailersFeature
    {
        public IHeaderDictionary Trailers { get; set; } = new HeaderDictionary { ["X-Trailer"] = "1" };
    }
}
