using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Backends that are not what the gate takes them for. No client is at fault, and none learns anything of them.</summary>
public sealed class BackendTests(BackendTests.ImpatientGateway shared) : IClassFixture<BackendTests.ImpatientGateway>
{
    private static readonly Dictionary<string, byte[]> NoChallenges = new()
    {
        ["an echo service's greeting"] = Text("hello"),
        ["another event"] = Text("""{"type":"event","event":"tick","payload":{"nonce":"a-nonce"}}"""),
        ["another type"] = Text("""{"type":"res","event":"connect.challenge","payload":{"nonce":"a-nonce"}}"""),
        ["a list"] = Text("[]"),
        ["no payload"] = Text("""{"type":"event","event":"connect.challenge"}"""),
        ["payload a text"] = Text("""{"type":"event","event":"connect.challenge","payload":"a-nonce"}"""),
        ["no nonce"] = Text("""{"type":"event","event":"connect.challenge","payload":{}}"""),
        ["nonce a number"] = Text("""{"type":"event","event":"connect.challenge","payload":{"nonce":1}}"""),
        ["nonce null"] = Text("""{"type":"event","event":"connect.challenge","payload":{"nonce":null}}"""),
        ["nonce empty"] = Text(Protocol.Challenge("")),
        ["nonce padded"] = Text(Protocol.Challenge(" a-nonce")),
        ["nonce padded behind"] = Text(Protocol.Challenge("a-nonce\\t")),
        ["nonce with a bar"] = Text(Protocol.Challenge("a|nonce")),
        ["nonce over-long"] = Text(Protocol.Challenge(new string('n', 257))),
        ["two nonces"] = Text("""{"type":"event","event":"connect.challenge","payload":{"nonce":"a-nonce","nonce":"b"}}"""),
        ["two payloads"] = Text("""{"type":"event","event":"connect.challenge","payload":{"nonce":"b"},"payload":{"nonce":"a-nonce"}}"""),
        ["lone surrogate in the nonce"] = Text(Protocol.Challenge("a\\ud800")),
        ["not UTF-8"] = FrameConnection.Encode(Opcode.Text, [.. "{\"type\":\""u8, 0xFF], masked: false),
        ["binary"] = FrameConnection.Encode(Opcode.Binary, Encoding.UTF8.GetBytes(Protocol.Challenge("a-nonce")), masked: false),
        ["masked"] = FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(Protocol.Challenge("a-nonce")), masked: true),
        ["reserved bit"] = [0xC1, 0x02, .. "{}"u8],
        ["too large"] = [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 1],
        ["HTTP"] = "HTTP/1.1 200 OK\r\n\r\n"u8.ToArray(),
        ["a close frame"] = FrameConnection.Encode(Opcode.Close, [0x03, 0xE8, .. "the backend says no"u8], masked: false),
    };

    private static readonly Dictionary<string, RequestDelegate> OtherAnswers = new()
    {
        ["200 with a body"] = context => AnswerAsync(context, 200),
        ["201 with a body"] = context => AnswerAsync(context, 201),
        ["401 with headers and cookies"] = context =>
        {
            context.Response.Headers.WWWAuthenticate = "Basic realm=\"the backend's\"";
            context.Response.Cookies.Append("backend", "cookie");
            return AnswerAsync(context, 401);
        },
        ["302"] = context =>
        {
            context.Response.Headers.Location = "http://backend.example/";
            return AnswerAsync(context, 302);
        },
        ["204"] = context =>
        {
            context.Response.Headers["X-Backend"] = "secret";
            context.Response.StatusCode = 204;
            return Task.CompletedTask;
        },
        ["429 with Retry-After"] = context =>
        {
            context.Response.Headers.RetryAfter = "7";
            return AnswerAsync(context, 429);
        },
        ["500"] = context => AnswerAsync(context, 500),
        ["a body without end"] = async context =>
        {
            while (!context.RequestAborted.IsCancellationRequested)
            {
                await AnswerAsync(context, 200);
            }
        },
        ["101 to another protocol"] = context => SwitchAsync(context, "chat"),
        ["101 to two protocols"] = context => SwitchAsync(context, "websocket, chat"),
        ["101 to nothing"] = context => SwitchAsync(context, null),
        ["101 for another's key"] = context =>
        {
            context.Response.Headers["Sec-WebSocket-Accept"] = Protocol.AcceptFor("dGhlIHNhbXBsZSBub25jZQ==");
            return SwitchAsync(context, "websocket");
        },
        ["101 without the key"] = context => SwitchAsync(context, "websocket"),
    };

    private readonly Dictionary<int, int> _logged = new[] { 1102, 1104 }.ToDictionary(id => id, id => shared.Gateway.Log.Of(id).Count());

    public static TheoryData<string> Beginnings => [.. NoChallenges.Keys];

    public static TheoryData<string> Answers => [.. OtherAnswers.Keys];

    [Theory]
    [MemberData(nameof(Beginnings))]
    public async Task A_backend_that_does_not_begin_with_a_challenge_is_1011(string what)
    {
        await using Encountered encountered = await EncounterAsync();

        await encountered.Backend.SendRawAsync(NoChallenges[what]);

        await ShouldFailAsync(encountered);
    }

    [Fact]
    public async Task A_backend_that_says_nothing_is_1011()
    {
        await using Encountered encountered = await EncounterAsync();

        await ShouldFailAsync(encountered);
    }

    [Fact]
    public async Task Pings_are_no_challenge()
    {
        await using Encountered encountered = await EncounterAsync();

        await encountered.Backend.SendAsync(Opcode.Ping, [1]);

        (await encountered.Client.ReceiveAsync()).ShouldNotBeNull().Opcode.ShouldBe(Opcode.Ping);
        await ShouldFailAsync(encountered);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_backend_that_leaves_before_its_challenge_is_1011(bool abruptly)
    {
        await using Encountered encountered = await EncounterAsync();

        Leave(encountered.Backend, abruptly);

        await ShouldFailAsync(encountered);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_backend_that_leaves_after_its_challenge_is_1011(bool abruptly)
    {
        await using Encountered encountered = await EncounterAsync();
        await encountered.Backend.SendTextAsync(Protocol.Challenge("a-nonce"));
        (await encountered.Client.ReceiveJsonAsync()).GetProperty("event").GetString().ShouldBe("connect.challenge");

        Leave(encountered.Backend, abruptly);

        await ShouldFailAsync(encountered, logged: 1104);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_backend_that_leaves_instead_of_answering_is_1011(bool abruptly)
    {
        await using Encountered encountered = await EncounterAsync();
        await encountered.Backend.SendTextAsync(Protocol.Challenge("a-nonce"));
        await encountered.Client.ReceiveJsonAsync();
        await encountered.Client.SendTextAsync(new Ask().SignedBy(new TestDevice()));
        await OneConnectTests.ReceiveConnectAsync(encountered.Backend);

        Leave(encountered.Backend, abruptly);

        await ShouldFailAsync(encountered, logged: 1104);
    }

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task Any_answer_but_101_is_502_with_nothing_from_the_backend(string what)
    {
        shared.Gateway.Backend.Http = context => OtherAnswers[what](context);
        try
        {
            (int status, string head, Stream stream) = await TestClient.RequestAsync(shared.Gateway.Port, headers: ["Connection: Upgrade, close"]);
            await using (stream)
            {
                string text = head + await new StreamReader(stream).ReadToEndAsync();
                status.ShouldBe(502, text);
                text.ShouldStartWith("HTTP/1.1 502 Bad Gateway\r\n");
                text.ShouldNotContain("backend", Case.Insensitive);
                text.ShouldNotContain("secret", Case.Insensitive);
                string[] names = [.. head.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(l => l.Split(':')[0])];
                names.ShouldBeSubsetOf(["Content-Length", "Date", "Server", "Connection"]);
            }
        }
        finally
        {
            shared.Gateway.Backend.Http = null;
        }
    }

    [Theory]
    [InlineData("chat, other", "chat")]
    [InlineData("other,chat", "chat")]
    [InlineData("Chat", null)]
    [InlineData("", null)]
    public async Task A_client_gets_only_the_headers_of_a_101_that_complete_the_upgrade(string offered, string? chosen)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(
            transforms: [new Dictionary<string, string> { ["ResponseHeader"] = "X-Route", ["Append"] = "a secret of the backend", ["When"] = "Always" }]);
        gateway.Backend.Http = context => SwitchTalkativelyAsync(context);

        (int status, string head, Stream stream) = await TestClient.RequestAsync(gateway.Port, headers: [$"Sec-WebSocket-Protocol: {offered}"]);

        await stream.DisposeAsync();
        status.ShouldBe(101, head);
        head.ShouldNotContain("secret", Case.Insensitive);
        Dictionary<string, string> headers = head.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Skip(1)
            .Select(l => l.Split(": ")).ToDictionary(l => l[0], l => l[1], StringComparer.OrdinalIgnoreCase);
        string[] expected = ["Connection", "Date", "Sec-WebSocket-Accept", .. chosen is null ? [] : (string[])["Sec-WebSocket-Protocol"], "Server", "Upgrade"];
        headers.Keys.Order(StringComparer.OrdinalIgnoreCase).ShouldBe(expected);
        headers["Connection"].ShouldBe("Upgrade");
        headers["Upgrade"].ShouldBe("websocket");
        headers["Server"].ShouldBe("Kestrel");
        headers.GetValueOrDefault("Sec-WebSocket-Protocol").ShouldBe(chosen);
    }

    [Fact]
    public async Task Extensions_are_never_offered_to_the_backend()
    {
        await using Encountered encountered = await EncounterAsync(
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", "sec-websocket-extensions: x-other", "Sec-WebSocket-Protocol: chat");

        encountered.Backend.Request!.Request.Headers.SecWebSocketExtensions.Count.ShouldBe(0);
        encountered.Backend.Request.Request.Headers.SecWebSocketProtocol.ToString().ShouldBe("chat");
    }

    [Fact]
    public async Task A_backend_that_cannot_be_reached_is_502()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        await gateway.Backend.DisposeAsync();

        (int status, string head, Stream stream) = await TestClient.RequestAsync(gateway.Port);

        await using (stream)
        {
            status.ShouldBe(502, head);
        }

        gateway.Budgets.InUse.ShouldBe(0);
    }

    private async Task<Encountered> EncounterAsync(params string[] headers)
    {
        FrameConnection client = await TestClient.OpenAsync(shared.Gateway.Port, headers: headers);
        return new Encountered(client, await shared.Gateway.Backend.AcceptAsync());
    }

    private async Task ShouldFailAsync(Encountered encountered, int logged = 1102)
    {
        // Nothing before the close frame: not what the backend sent instead of a challenge.
        Frame close = (await encountered.Client.ReceiveAsync()).ShouldNotBeNull();
        $"{close.CloseCode} {close.CloseReason}".ShouldBe("1011 backend handshake failed");
        close.Opcode.ShouldBe(Opcode.Close);
        shared.Gateway.Log.Of(1102).ShouldAllBe(l => l.Contains("the metadata \"DeviceAuth\": \"Off\"", StringComparison.Ordinal));
        shared.Gateway.Log.Of(logged).Count().ShouldBe(_logged[logged] + 1);
    }

    private static void Leave(FrameConnection backend, bool abruptly)
    {
        if (abruptly)
            backend.Request!.Abort();
        backend.Complete();
    }

    private static byte[] Text(string text) => FrameConnection.Encode(Opcode.Text, Encoding.UTF8.GetBytes(text), masked: false);

    internal static Task AnswerAsync(HttpContext context, int status)
    {
        if (!context.Response.HasStarted)
        {
            context.Response.StatusCode = status;
            context.Response.Headers["X-Backend"] = "secret";
            context.Response.ContentType = "text/backend";
            context.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = "Backend Secret";
        }

        return context.Response.WriteAsync("a secret of the backend");
    }

    /// <summary>Switches, and tells more of itself than that.</summary>
    internal static async Task SwitchTalkativelyAsync(HttpContext context, string chosen = "chat")
    {
        SayTooMuch(context.Response.Headers, chosen);
        context.Response.Headers.Connection = "Upgrade, X-Secret";
        context.Response.Headers.Upgrade = "WebSocket";
        context.Response.Headers["Sec-WebSocket-Accept"] = Protocol.AcceptFor(context.Request.Headers.SecWebSocketKey!);
        context.Features.GetRequiredFeature<IHttpResponseFeature>().ReasonPhrase = "Secret";
        await using Stream stream = await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        _ = await stream.ReadAsync(new byte[1]);
    }

    internal static void SayTooMuch(IHeaderDictionary headers, string chosen)
    {
        headers.SetCookie = new[] { "secret=1; HttpOnly", "other-secret=2" };
        headers.Server = "secret.internal";
        headers["X-Backend"] = "secret";
        headers["Via"] = "1.1 secret";
        headers["X-Secret"] = "1";
        headers["Link"] = "<https://secret>; rel=preload";
        headers["Sec-WebSocket-Extensions"] = "permessage-deflate; secret";
        headers["Sec-WebSocket-Protocol"] = chosen;
    }

    private static async Task SwitchAsync(HttpContext context, string? protocol)
    {
        context.Response.Headers.Upgrade = protocol;
        context.Response.Headers["X-Backend"] = "secret";
        await using Stream stream = await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        await stream.WriteAsync("a secret of the backend"u8.ToArray());
    }

    private sealed record Encountered(FrameConnection Client, FrameConnection Backend) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Client.DisposeAsync();
            Backend.Complete();
        }
    }

    public sealed class ImpatientGateway : SharedGateway
    {
        private protected override Dictionary<string, string?> Settings => new(Generous) { ["DeviceAuth:HandshakeTimeout"] = "00:00:01" };

        private protected override async Task<TestGateway> StartAsync()
        {
            TestGateway gateway = await base.StartAsync();
            gateway.Backend.Script = backend => backend.Completion;
            return gateway;
        }
    }
}
