using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Tests.Clients;

/// <summary>When a handler sends a session token instead of a proof.</summary>
public sealed class DeviceSessionTests : IDisposable
{
    private const string Url = "https://gate.example/agent/x";

    private readonly DeviceIdentity _identity = DeviceIdentity.Create();
    private readonly FakeTimeProvider _time = new();
    private readonly Gate _gate = new();
    private DeviceHttpHandler? _handler;

    public void Dispose()
    {
        _identity.Dispose();
        _gate.Dispose();
    }

    [Fact]
    public async Task A_client_with_few_requests_asks_for_none()
    {
        using HttpClient client = Client();

        for (int i = 0; i < 3; i++)
        {
            await GetAsync(client);
            _time.Advance(TimeSpan.FromSeconds(61));
        }

        _gate.Sent.ShouldBe(["proof", "proof", "proof"]);
    }

    [Fact]
    public async Task The_second_request_has_one_asked_for_and_the_third_sends_it()
    {
        using HttpClient client = Client();

        await GetAsync(client, 4);

        _gate.Sent.ShouldBe(["proof", "proof", "ask", "token-1", "token-1"], ignoreOrder: true);
        JsonNode.Parse(_gate.Body!)!.ToJsonString().ShouldBe("""{"audience":"tools"}""");
    }

    [Fact]
    public async Task A_route_is_asked_for_in_place_of_the_audience()
    {
        using HttpClient client = Client(route: "mcp");

        await GetAsync(client, 2);

        JsonNode.Parse(_gate.Body!)!.ToJsonString().ShouldBe("""{"route":"mcp"}""");
    }

    [Theory]
    [InlineData("https://gate.example/")]
    [InlineData("https://gate.example/agents")]
    [InlineData("https://gate.example/agent/../other")]
    [InlineData("https://gate.example/Agent/x")]
    [InlineData("https://other.example/agent/x")]
    [InlineData("https://gate.example:8443/agent/x")]
    public async Task One_goes_nowhere_else(string other)
    {
        using HttpClient client = Client();
        await GetAsync(client, 3);
        _gate.Sent.Clear();

        (await client.GetAsync(other)).StatusCode.ShouldBe(HttpStatusCode.OK);

        _gate.Sent.ShouldBe(["proof"]);
    }

    [Fact]
    public async Task A_body_that_is_a_stream_has_a_proof()
    {
        using HttpClient client = Client();
        await GetAsync(client, 3);
        _gate.Sent.Clear();

        await client.PostAsync(Url, new StreamContent(new MemoryStream([1])));

        _gate.Sent.ShouldBe(["proof"]);
    }

    [Fact]
    public async Task Past_half_its_life_the_next_one_is_asked_for_and_nobody_waits()
    {
        using HttpClient client = Client();
        await GetAsync(client, 3);
        _gate.Sent.Clear();
        _gate.IsOld = true;
        await GetAsync(client);
        _gate.IsOld = false;
        _gate.Token = "token-2";

        await GetAsync(client, 2);

        _gate.Sent.ShouldBe(["token-1", "token-1", "ask", "token-2"], ignoreOrder: true);
    }

    [Fact]
    public async Task One_that_is_too_old_by_this_sides_clock_is_not_sent()
    {
        using HttpClient client = Client();
        await GetAsync(client, 3);
        _gate.Sent.Clear();
        _time.Advance(TimeSpan.FromMinutes(4.5));

        await GetAsync(client);

        _gate.Sent.ShouldBe(["proof"]);
    }

    [Theory]
    [InlineData("invalid_session_token", HttpStatusCode.Unauthorized)]
    [InlineData("device_proof_required", HttpStatusCode.Forbidden)]
    public async Task A_refused_one_is_dropped_and_the_request_has_a_proof(string code, HttpStatusCode status)
    {
        using HttpClient client = Client();
        await GetAsync(client, 3);
        _gate.Sent.Clear();
        (_gate.Refusal, _gate.RefusalStatus, _gate.Token) = (code, status, "token-2");

        await GetAsync(client);
        _gate.Refusal = null;
        await GetAsync(client, 2);

        _gate.Sent.ShouldBe(["token-1", "proof", "proof", "ask", "token-2"], ignoreOrder: true);
    }

    [Fact]
    public async Task Where_none_ever_held_the_next_one_is_asked_for_a_minute_later()
    {
        using HttpClient client = Client();
        _gate.Refusal = "invalid_session_token";

        await GetAsync(client, 5);
        _gate.Sent.ShouldBe(["proof", "proof", "ask", "token-1", "proof", "proof", "proof"], ignoreOrder: true);
        _gate.Sent.Clear();
        for (int i = 0; i < 2; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(30));
            await GetAsync(client);
        }

        _gate.Sent.ShouldBe(["proof", "proof", "ask"], ignoreOrder: true);
    }

    [Theory]
    [InlineData(HttpStatusCode.Forbidden, "token-1")]
    [InlineData(HttpStatusCode.OK, null)]
    [InlineData(HttpStatusCode.OK, "")]
    [InlineData(HttpStatusCode.OK, "two words")]
    [InlineData(HttpStatusCode.OK, "line\r\nX-Evil: 1")]
    [InlineData(HttpStatusCode.OK, "too long")]
    public async Task Without_one_requests_have_proofs_and_it_is_not_asked_for_again_at_once(HttpStatusCode status, string? token)
    {
        using HttpClient client = Client();
        (_gate.AskStatus, _gate.Token) = (status, token == "too long" ? new string('a', (16 * 1024) + 1) : token);

        await GetAsync(client, 5);

        _gate.Sent.ShouldBe(["proof", "proof", "ask", "proof", "proof", "proof"], ignoreOrder: true);
    }

    [Fact]
    public async Task A_backends_own_401_is_passed_on()
    {
        using HttpClient client = Client();
        await GetAsync(client, 3);
        _gate.Sent.Clear();
        (_gate.Refusal, _gate.RefusalStatus) = ("of_the_backend", HttpStatusCode.Unauthorized);

        using HttpResponseMessage answer = await client.GetAsync(Url);

        answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        ((string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["code"]).ShouldBe("of_the_backend");
        _gate.Sent.ShouldBe(["token-1"]);
    }

    [Fact]
    public void A_URL_that_is_not_safe_is_refused() =>
        Should.Throw<ArgumentException>(() => new DeviceHttpHandler(_identity, new DeviceHttpOptions { Session = new DeviceSessionOptions { Url = new Uri("http://gate.example/agent") } }));

    private HttpClient Client(string? route = null)
    {
        var session = new DeviceSessionOptions { Url = new Uri("https://gate.example/agent"), Audience = "tools", Route = route };
        _handler = new DeviceHttpHandler(_identity, new DeviceHttpOptions { Session = session, Time = _time }) { InnerHandler = _gate };
        return new HttpClient(_handler, disposeHandler: false);
    }

    private async Task GetAsync(HttpClient client, int count = 1)
    {
        for (int i = 0; i < count; i++)
        {
            (await client.GetAsync(Url)).StatusCode.ShouldBe(HttpStatusCode.OK);
            await _handler!.AskingForToken;
        }
    }

    /// <summary>A gate that gives tokens, and any nonce.</summary>
    private sealed class Gate : HttpMessageHandler
    {
        private readonly ConcurrentQueue<string> _sent = [];

        public ConcurrentQueue<string> Sent => _sent;

        public string? Token { get; set; } = "token-1";

        public HttpStatusCode AskStatus { get; set; } = HttpStatusCode.OK;

        /// <summary>Whether tokens are past half their life.</summary>
        public bool IsOld { get; set; }

        /// <summary>The code with which tokens are refused; null: they are not.</summary>
        public string? Refusal { get; set; }

        public HttpStatusCode RefusalStatus { get; set; } = HttpStatusCode.Unauthorized;

        /// <summary>What was asked for.</summary>
        public string? Body { get; private set; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = new HttpResponseMessage(HttpStatusCode.OK) { RequestMessage = request };
            if (request.RequestUri == new Uri("https://gate.example/.well-known/proxygateway/session"))
            {
                request.Headers.Contains("Device-Proof").ShouldBeTrue();
                _sent.Enqueue("ask");
                Body = await request.Content!.ReadAsStringAsync(cancellationToken);
                response.StatusCode = AskStatus;
                response.Content = JsonContent.Create(new { token = Token, expiresAt = "2026-12-01T05:05:00Z" });
            }
            else if (request.Headers.TryGetValues("Device-Session", out IEnumerable<string>? tokens))
            {
                request.Headers.Contains("Device-Proof").ShouldBeFalse();
                _sent.Enqueue(tokens.Single());
                if (IsOld || Refusal is "invalid_session_token" or "device_proof_required")
                    response.Headers.Add("Device-Nonce", "n2");
                if (Refusal is not null)
                {
                    response.StatusCode = RefusalStatus;
                    response.Content = new StringContent($$"""{"type":"urn:proxygateway:problem:x","code":"{{Refusal}}"}""", null, "application/problem+json");
                }
            }
            else if (request.Method == HttpMethod.Get && request.RequestUri!.AbsolutePath == "/.well-known/proxygateway/nonce")
            {
                response.Headers.Add("Device-Nonce", "n1");
            }
            else
            {
                request.Headers.Contains("Device-Proof").ShouldBeTrue();
                _sent.Enqueue("proof");
            }

            return response;
        }
    }
}
