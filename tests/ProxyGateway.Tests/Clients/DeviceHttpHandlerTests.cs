using System.Buffers.Text;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Tests.Clients;

/// <summary>What a handler sends, and how often.</summary>
public sealed class DeviceHttpHandlerTests : IDisposable
{
    private const string Url = "https://gate.example/agent?q=1";

    private readonly DeviceIdentity _identity = DeviceIdentity.Create();
    private readonly FakeTimeProvider _time = new();
    private readonly Gate _gate = new();

    public void Dispose()
    {
        _identity.Dispose();
        _gate.Dispose();
    }

    [Fact]
    public async Task A_first_request_costs_two_and_the_next_ones_one()
    {
        using HttpClient client = Client();

        (await client.GetAsync(Url)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await client.GetAsync(Url)).StatusCode.ShouldBe(HttpStatusCode.OK);

        _gate.Asked.ShouldBe(["GET /agent (none)", "GET /agent n1", "GET /agent n1"]);
    }

    [Fact]
    public async Task The_newest_nonce_of_any_answer_is_taken()
    {
        using HttpClient client = Client();
        await client.GetAsync(Url);
        _gate.Fresh = "n2";
        await client.GetAsync(Url);
        _gate.Accepted = "n2";

        await client.GetAsync(Url);

        _gate.Asked[^1].ShouldBe("GET /agent n2");
    }

    [Fact]
    public async Task A_request_is_tried_once_more_and_only_once()
    {
        using HttpClient client = Client();
        _gate.Accepted = "never";
        _gate.Issue = n => $"n{n}";

        (await client.GetAsync(Url)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);

        _gate.Asked.Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_gate_that_repeats_a_nonce_it_does_not_accept_is_not_asked_again()
    {
        using HttpClient client = Client();
        _gate.Accepted = "never";
        await client.GetAsync(Url);
        _gate.Asked.Clear();

        (await client.GetAsync(Url)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);

        _gate.Asked.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_body_in_memory_is_sent_again()
    {
        using HttpClient client = Client();

        (await client.PostAsync(Url, new StringContent("body"))).StatusCode.ShouldBe(HttpStatusCode.OK);

        _gate.Asked.ShouldBe(["POST /agent (none)", "POST /agent n1"]);
    }

    [Fact]
    public async Task A_body_that_is_a_stream_is_sent_once_with_a_nonce_that_was_just_fetched()
    {
        using HttpClient client = Client();

        (await client.PostAsync(Url, Streaming())).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await client.PostAsync(Url, Streaming())).StatusCode.ShouldBe(HttpStatusCode.OK);
        _time.Advance(TimeSpan.FromSeconds(11));
        (await client.PostAsync(Url, Streaming())).StatusCode.ShouldBe(HttpStatusCode.OK);

        _gate.Asked.ShouldBe(["GET /.well-known/proxygateway/nonce -", "POST /agent n1", "POST /agent n1", "GET /.well-known/proxygateway/nonce -", "POST /agent n1"]);
    }

    [Fact]
    public async Task A_body_that_is_a_stream_is_never_sent_twice()
    {
        using HttpClient client = Client();
        _gate.Accepted = "never";
        _gate.Issue = n => $"n{n}";

        (await client.PostAsync(Url, Streaming())).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);

        _gate.Asked.Count(a => a.StartsWith("POST", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task A_nonce_is_forgotten_with_a_connection_that_breaks()
    {
        using HttpClient client = Client();
        await client.GetAsync(Url);
        _gate.IsDown = true;
        await Should.ThrowAsync<HttpRequestException>(() => client.GetAsync(Url));
        _gate.IsDown = false;
        _gate.Asked.Clear();

        await client.PostAsync(Url, Streaming());

        _gate.Asked[0].ShouldBe("GET /.well-known/proxygateway/nonce -");
    }

    [Fact]
    public async Task A_WebSocket_over_HTTP2_is_proved_as_a_GET()
    {
        using var invoker = new HttpMessageInvoker(Handler());
        using var request = new HttpRequestMessage(HttpMethod.Connect, Url) { Version = HttpVersion.Version20 };
        request.Headers.Protocol = "websocket";

        await invoker.SendAsync(request, default);

        _gate.LastProof["htm"]!.GetValue<string>().ShouldBe("GET");
    }

    [Fact]
    public async Task The_standards_header_goes_with_the_hash_of_its_token()
    {
        using HttpClient client = Client(new DeviceHttpOptions { Header = DeviceHttpOptions.DPoP });
        client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", "DPoP the-token");
        _gate.Header = "DPoP";

        (await client.GetAsync(Url)).StatusCode.ShouldBe(HttpStatusCode.OK);

        _gate.LastProof["ath"].ShouldNotBeNull();
    }

    [Fact]
    public async Task A_planted_proof_is_replaced()
    {
        using HttpClient client = Client();
        client.DefaultRequestHeaders.Add("device-proof", "planted");

        (await client.GetAsync(Url)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("http://gate.example/")]
    [InlineData("http://10.0.0.1/")]
    public async Task Nothing_is_sent_where_others_can_read_it(string url)
    {
        using HttpClient client = Client();

        await Should.ThrowAsync<HttpRequestException>(() => client.GetAsync(url));
        await Should.ThrowAsync<HttpRequestException>(() => client.PostAsync(url, Streaming()));

        _gate.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_transport_that_follows_redirects_is_refused()
    {
        using var sockets = new HttpClient(new DeviceHttpHandler(_identity) { InnerHandler = new Passing { InnerHandler = new SocketsHttpHandler() } });
        using var handler = new HttpClient(new DeviceHttpHandler(_identity) { InnerHandler = new HttpClientHandler() });

        await Should.ThrowAsync<InvalidOperationException>(() => sockets.GetAsync(Url));
        await Should.ThrowAsync<InvalidOperationException>(() => handler.GetAsync(Url));
    }

    [Fact]
    public async Task A_proof_for_loopback_is_not_sent_to_a_proxy()
    {
        var transport = new SocketsHttpHandler { AllowAutoRedirect = false, Proxy = new WebProxy("http://proxy.example:3128") };
        using var client = new HttpClient(new DeviceHttpHandler(_identity) { InnerHandler = transport });

        (await Should.ThrowAsync<HttpRequestException>(() => client.GetAsync("http://127.0.0.1:9/"))).Message.ShouldContain("is not sent to a proxy");
    }

    [Fact]
    public void The_own_transport_asks_no_proxy_for_loopback()
    {
        var proxy = new DirectLoopback(new WebProxy("http://proxy.example:3128"));

        proxy.IsBypassed(new Uri("http://127.0.0.1:8080/")).ShouldBeTrue();
        proxy.GetProxy(new Uri("https://localhost:8080/")).ShouldBeNull();
        proxy.IsBypassed(new Uri("https://gate.example/")).ShouldBeFalse();
        proxy.GetProxy(new Uri("https://gate.example/")).ShouldBe(new Uri("http://proxy.example:3128"));
        using SocketsHttpHandler transport = DeviceHttpHandler.CreateTransport();
        transport.AllowAutoRedirect.ShouldBeFalse();
    }

    private static StreamContent Streaming() => new(new MemoryStream([1, 2, 3]));

    private DeviceHttpHandler Handler(DeviceHttpOptions? options = null) =>
        new(_identity, (options ?? new DeviceHttpOptions()) with { Time = _time }) { InnerHandler = _gate };

    private HttpClient Client(DeviceHttpOptions? options = null) => new(Handler(options), disposeHandler: false);

    private sealed class Passing : DelegatingHandler;

    /// <summary>A gate that accepts one nonce.</summary>
    private sealed class Gate : HttpMessageHandler
    {
        private int _count;

        public List<string> Asked { get; } = [];

        public string Header { get; set; } = "Device-Proof";

        public string Accepted { get; set; } = "n1";

        public string? Fresh { get; set; }

        public Func<int, string> Issue { get; set; } = _ => "n1";

        public bool IsDown { get; set; }

        public JsonNode LastProof { get; private set; } = null!;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (IsDown)
                throw new HttpRequestException("down");
            string? proof = request.Headers.TryGetValues(Header, out IEnumerable<string>? values) ? values.Single() : null;
            if (proof is not null)
                LastProof = JsonNode.Parse(Base64Url.DecodeFromChars(proof.Split('.')[1]))!;
            string? nonce = proof is null ? "-" : (string?)LastProof["nonce"];
            Asked.Add($"{request.Method} {request.RequestUri!.AbsolutePath} {nonce ?? "(none)"}");
            var response = new HttpResponseMessage(nonce == Accepted || proof is null ? HttpStatusCode.OK : HttpStatusCode.Unauthorized);
            if (response.StatusCode == HttpStatusCode.Unauthorized)
                response.Headers.TryAddWithoutValidation("WWW-Authenticate", $"{Header} error=\"use_dpop_nonce\"");
            string? issued = response.StatusCode == HttpStatusCode.Unauthorized || proof is null ? Issue(++_count) : Fresh;
            if (issued is not null)
                response.Headers.Add(Header == "DPoP" ? "DPoP-Nonce" : "Device-Nonce", issued);
            return Task.FromResult(response);
        }
    }
}
