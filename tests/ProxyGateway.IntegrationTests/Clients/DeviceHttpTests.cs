using System.Net;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Proof;

namespace ProxyGateway.IntegrationTests.Clients;

/// <summary>The client's library at a real gate.</summary>
public sealed class DeviceHttpTests : IAsyncLifetime, IDisposable
{
    private readonly ProofSigner _device = ProofSigner.WithP256();
    private readonly CancellationTokenSource _patience = new(Eventually.Patience);
    private ProofSetting _gate = null!;
    private HttpClient _client = null!;

    public async Task InitializeAsync()
    {
        _gate = await ProofSetting.StartAsync(mapBackend: backend => backend.Map("/moved", context =>
        {
            context.Response.Redirect("https://elsewhere.example/");
            return Task.CompletedTask;
        }));
        _client = DeviceHttpHandler.CreateClient(_device);
        _client.BaseAddress = _gate.Address;
    }

    public async Task DisposeAsync() => await _gate.DisposeAsync();

    public void Dispose()
    {
        _client.Dispose();
        _device.Dispose();
        _patience.Dispose();
    }

    [Fact]
    public async Task A_refusal_says_what_to_do()
    {
        using HttpResponseMessage refused = await _client.GetAsync(new Uri("/work", UriKind.Relative));

        GateProblem problem = (await GateProblem.ReadAsync(refused)).ShouldNotBeNull();
        (problem.Status, problem.Code, problem.Reason, problem.IsRetryable, problem.RetryAfter).ShouldBe((403, "pairing_required", "not-paired", true, TimeSpan.FromSeconds(5)));
        problem.Detail.ShouldContain("proxygateway requests approve " + problem.RequestId);
    }

    [Fact]
    public async Task An_answer_of_the_backend_is_no_refusal()
    {
        await _gate.PairAsync(_device);

        using HttpResponseMessage tea = await _client.GetAsync(new Uri("/tea", UriKind.Relative));

        (await GateProblem.ReadAsync(tea)).ShouldBeNull();
        (await tea.Content.ReadAsStringAsync()).ShouldBe("short and stout");
    }

    [Fact]
    public async Task A_body_that_grows_is_sent_once()
    {
        await _gate.PairAsync(_device);
        using var body = new GrowingContent();
        Task<HttpResponseMessage> answering = _client.PostAsync(new Uri("/upload", UriKind.Relative), body);
        Stream stream = await body.StreamAsync();
        await stream.WriteAsync(new byte[100_000]);
        body.Complete();

        using HttpResponseMessage answer = await answering;

        (await answer.Content.ReadAsStringAsync()).ShouldBe("read 100000");
        _gate.State.Requests.ShouldBe(1);
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        await _gate.PairAsync(_device);

        using HttpResponseMessage answer = await _client.GetAsync(new Uri("/moved", UriKind.Relative));

        answer.StatusCode.ShouldBe(HttpStatusCode.Found);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_WebSocket_opens_and_echoes(int version)
    {
        await _gate.PairAsync(_device);
        using DeviceHttpHandler handler = Handler();
        var url = new Uri(version == 1 ? _gate.Address : _gate.Http2Address, "/socket/chat");

        using ClientWebSocket socket = await DeviceWebSocket.ConnectAsync(
            url,
            handler,
            options =>
            {
                options.AddSubProtocol("chat");
                options.HttpVersion = version == 1 ? HttpVersion.Version11 : HttpVersion.Version20;
                options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
            },
            _patience.Token);

        socket.SubProtocol.ShouldBe("chat");
        await socket.SendTextAsync("hello", _patience.Token);
        (await socket.ReceiveTextAsync(_patience.Token)).ShouldBe("hello");
    }

    [Fact]
    public async Task Session_tokens_take_the_place_of_proofs_and_an_outdated_one_costs_a_proof()
    {
        await using ProofSetting gate = await ProofSetting.StartAsync(metadata: new() { ["DeviceAuth.SessionTokens"] = "Allow" });
        await gate.PairAsync(_device);
        var sent = new Sent { InnerHandler = DeviceHttpHandler.CreateTransport() };
        using var handler = new DeviceHttpHandler(_device, new DeviceHttpOptions { Session = new DeviceSessionOptions { Url = gate.Address } }) { InnerHandler = sent };
        using var client = new HttpClient(handler) { BaseAddress = gate.Address };
        await client.GetStringAsync("/work");
        await client.GetStringAsync("/work");
        await handler.AskingForToken;

        (await client.GetStringAsync("/work")).ShouldBe("done");
        sent.Last.Contains("Device-Session").ShouldBeTrue();
        sent.Last.Contains("Device-Proof").ShouldBeFalse();
        gate.Heard.Last().ContainsKey("Device-Session").ShouldBeFalse();
        using (ClientWebSocket socket = await DeviceWebSocket.ConnectAsync(new Uri(gate.Address, "/socket"), handler, cancellationToken: _patience.Token))
            sent.Last.Contains("Device-Session").ShouldBeTrue();

        await gate.ChangeAsync(_device, new DeviceChange.SetLabel("another record"));
        (await client.GetStringAsync("/work")).ShouldBe("done");
        await gate.BlockAsync(_device);
        using HttpResponseMessage refused = await client.GetAsync("/work");
        (await GateProblem.ReadAsync(refused)).ShouldNotBeNull().Code.ShouldBe("device_blocked");
    }

    [Fact]
    public async Task Where_the_gate_gives_no_tokens_requests_have_proofs()
    {
        await _gate.PairAsync(_device);
        using var handler = new DeviceHttpHandler(_device, new DeviceHttpOptions { Session = new DeviceSessionOptions { Url = _gate.Address } }) { InnerHandler = DeviceHttpHandler.CreateTransport() };
        using var client = new HttpClient(handler) { BaseAddress = _gate.Address };

        for (int i = 0; i < 4; i++)
        {
            (await client.GetStringAsync("/work")).ShouldBe("done");
            await handler.AskingForToken;
        }
    }

    [Fact]
    public async Task A_refused_WebSocket_says_what_to_do()
    {
        using DeviceHttpHandler handler = Handler();

        GateProblem problem = (await Should.ThrowAsync<GateRefusedException>(() => DeviceWebSocket.ConnectAsync(new Uri(_gate.Address, "/socket"), handler))).Problem;

        problem.Code.ShouldBe("pairing_required");
        problem.RequestId.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_WebSocket_that_the_backend_does_not_accept_or_that_nobody_serves_fails_as_always()
    {
        await _gate.PairAsync(_device);
        using DeviceHttpHandler handler = Handler();

        await Should.ThrowAsync<WebSocketException>(() => DeviceWebSocket.ConnectAsync(new Uri(_gate.Address, "/tea"), handler));
        await Should.ThrowAsync<WebSocketException>(() => DeviceWebSocket.ConnectAsync(new Uri("ws://127.0.0.1:1/"), handler));
    }

    private sealed class Sent : DelegatingHandler
    {
        public HttpRequestHeaders Last { get; private set; } = null!;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            using var copy = new HttpRequestMessage();
            foreach ((string name, IEnumerable<string> values) in request.Headers)
                copy.Headers.TryAddWithoutValidation(name, values);
            Last = copy.Headers;
            return await base.SendAsync(request, cancellationToken);
        }
    }

    private DeviceHttpHandler Handler() => new(_device) { InnerHandler = DeviceHttpHandler.CreateTransport() };
}
