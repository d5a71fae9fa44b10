using System.Diagnostics.Metrics;
using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.Tests.Handshakes.InMemory;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>The gate's own paths without a server: what is answered there, and what pages may read of it.</summary>
public sealed class ReservedPathsTests : IDisposable
{
    private const string Nonce = "/.well-known/proxygateway/nonce";
    private const string Page = "https://page.example";
    private const string Exposed = "Device-Nonce, DPoP-Nonce, WWW-Authenticate, Retry-After";

    private readonly List<IDisposable> _disposables = [];

    public void Dispose() => _disposables.ForEach(d => d.Dispose());

    // The method, the path, and the status; 418 is the application's, behind.
    [Theory]
    [InlineData("GET", Nonce, 200)]
    [InlineData("HEAD", Nonce, 200)]
    [InlineData("POST", Nonce, 405)]
    [InlineData("OPTIONS", Nonce, 405)]
    [InlineData("PUT", "/.well-known/proxygateway/echo", 200)]
    [InlineData("HEAD", "/.well-known/proxygateway/echo", 405)]
    [InlineData("GET", "/.well-known/proxygateway/broken", 500)]
    [InlineData("GET", "/.well-known/proxygateway/nonce/", 404)]
    [InlineData("GET", "/.well-known/proxygateway/Nonce", 404)]
    [InlineData("GET", "/.well-known/proxygateway/other", 404)]
    [InlineData("GET", "/.well-known/proxygateway", 404)]
    [InlineData("GET", "/.WELL-KNOWN/ProxyGateway/nonce", 404)]
    [InlineData("GET", "/.well-known/proxygateways", 418)]
    [InlineData("GET", "/", 418)]
    public async Task Nothing_below_the_prefix_passes(string method, string path, int status)
    {
        MemoryRequest request = await SendAsync(Gate(), method, path);

        request.Http.Response.StatusCode.ShouldBe(status);
        ((string?)request.Http.Response.Headers.Allow).ShouldBe(status != 405 ? null : path == Nonce ? "GET" : "PUT");
    }

    [Fact]
    public async Task A_nonce_is_in_the_body_and_in_the_header_and_is_not_stored()
    {
        MemoryGate gate = Gate();

        MemoryRequest request = await SendAsync(gate, "GET", Nonce);

        string nonce = gate.Get<ProofVerifier>().IssueNonce();
        JsonNode.Parse(request.Text)!.ToJsonString().ShouldBe($$"""{"nonce":"{{nonce}}"}""");
        ((string?)request.Http.Response.Headers["Device-Nonce"]).ShouldBe(nonce);
        ((string?)request.Http.Response.Headers.CacheControl).ShouldBe("no-store");
        request.Http.Response.ContentType.ShouldBe("application/json");
    }

    [Fact]
    public async Task Without_the_registry_there_is_no_nonce()
    {
        MemoryGate gate = Gate();
        ((InMemoryDeviceStore)gate.Get<IDeviceStore>()).IsAvailable = false;

        (await SendAsync(gate, "GET", Nonce)).Answer.ShouldBe("503 registry_unavailable; Retry-After: 1; retryable: true");
    }

    [Fact]
    public async Task The_rate_of_a_client_is_bounded()
    {
        MemoryGate gate = Gate(options => options with { Limits = options.Limits with { HandshakesPerSecondPerAddress = 1 } });
        await SendAsync(gate, "GET", Nonce);

        MemoryRequest second = await SendAsync(gate, "GET", Nonce);

        (second.Http.Response.StatusCode, (string?)second.Http.Response.Headers.RetryAfter).ShouldBe((429, "1"));
    }

    // What is refused before the endpoint that gives session tokens counts as a request for one; nonces are no handshake.
    [Theory]
    [InlineData("PUT", "session", null, "request-refused")]
    [InlineData("POST", "session", "https://evil.example", "origin-refused")]
    [InlineData("OPTIONS", "session", Page, "preflight")]
    [InlineData("PUT", "nonce", null, null)]
    [InlineData("PUT", "other", null, null)]
    public async Task A_refusal_counts_among_handshakes_where_the_endpoint_is_one(string method, string path, string? origin, string? outcome)
    {
        MemoryGate gate = Gate();
        using var measured = new Measured(gate.Get<IMeterFactory>());

        await SendAsync(gate, method, $"/.well-known/proxygateway/{path}", ("Origin", origin), ("Access-Control-Request-Method", method == "OPTIONS" ? "POST" : null));

        measured.Series.Where(s => s.StartsWith("proxygateway.handshakes.completed", StringComparison.Ordinal)).ShouldBe(
            outcome is null ? [] : [$"proxygateway.handshakes.completed route=none handshake=SessionToken audience=none outcome={outcome}"]);
    }

    [Fact]
    public async Task The_rate_counts_for_session_tokens_too()
    {
        MemoryGate gate = Gate(options => options with { Limits = options.Limits with { HandshakesPerSecondPerAddress = 1 } });
        await SendAsync(gate, "GET", Nonce);
        using var measured = new Measured(gate.Get<IMeterFactory>());

        (await SendAsync(gate, "POST", "/.well-known/proxygateway/session")).Http.Response.StatusCode.ShouldBe(429);

        measured.Of("proxygateway.handshakes.completed route=none handshake=SessionToken audience=none outcome=over-rate").ShouldBe(1);
    }

    [Fact]
    public async Task A_connection_that_is_gone_is_not_answered()
    {
        MemoryGate gate = Gate();

        MemoryRequest request = await SendAsync(gate, new MemoryRequest("GET", Nonce), from: null);

        request.IsAborted.ShouldBeTrue();
        request.Text.ShouldBeEmpty();
    }

    // ---- pages

    [Theory]
    [InlineData(Page, 200, Page)]
    [InlineData("https://evil.example", 403, null)]
    public async Task Pages_of_allowed_origins_may_read_the_answer(string origin, int status, string? allowed)
    {
        MemoryRequest request = await SendAsync(Gate(), "GET", Nonce, ("Origin", origin));

        IHeaderDictionary headers = request.Http.Response.Headers;
        request.Http.Response.StatusCode.ShouldBe(status);
        ((string?)headers.AccessControlAllowOrigin).ShouldBe(allowed);
        ((string?)headers.AccessControlExposeHeaders).ShouldBe(allowed is null ? null : Exposed);
        ((string?)headers.Vary).ShouldBe(allowed is null ? null : "Origin");
    }

    [Theory]
    [InlineData(null, Page, "Accept, Origin")]
    [InlineData("*", "*", "Accept")]
    public async Task What_the_answer_says_of_pages_already_stands(string? said, string allowed, string vary)
    {
        using var request = new MemoryRequest("GET");
        request.Http.Request.Headers.Origin = Page;
        request.Http.Response.Headers.Vary = "Accept";
        request.Http.Response.Headers.AccessControlExposeHeaders = "X-Own";
        if (said is not null)
            request.Http.Response.Headers.AccessControlAllowOrigin = said;

        CrossOrigin.Allow(request.Http, [Page]);
        await request.StartAsync();

        IHeaderDictionary headers = request.Http.Response.Headers;
        ((string?)headers.AccessControlAllowOrigin, string.Join(", ", headers.Vary.ToArray()), string.Join(", ", headers.AccessControlExposeHeaders.ToArray())).ShouldBe((allowed, vary, $"X-Own, {Exposed}"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("https://page.example|https://page.example")]
    [InlineData("https://evil.example")]
    public async Task Nobody_else_is_told_anything_of_pages(string? origins)
    {
        using var request = new MemoryRequest("GET");
        if (origins is not null)
            request.Http.Request.Headers.Origin = origins.Split('|');

        CrossOrigin.Allow(request.Http, [Page]);
        await request.StartAsync();

        request.Http.Response.Headers.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("OPTIONS", Page, "GET", true)]
    [InlineData("options", Page, "GET", true)]
    [InlineData("GET", Page, "GET", false)]
    [InlineData("OPTIONS", null, "GET", false)]
    [InlineData("OPTIONS", Page, null, false)]
    [InlineData("OPTIONS", "a|b", "GET", false)]
    [InlineData("OPTIONS", Page, "GET|PUT", false)]
    public void A_preflight_names_one_origin_and_one_method(string method, string? origins, string? asked, bool isPreflight)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        request.Method = method;
        if (origins is not null)
            request.Headers.Origin = origins.Split('|');
        if (asked is not null)
            request.Headers.AccessControlRequestMethod = asked.Split('|');

        CrossOrigin.IsPreflight(request).ShouldBe(isPreflight);
    }

    // The method and the headers that a page asks for, and what it may send.
    [Theory]
    [InlineData("PUT", "x-a, x-b", "PUT", "Device-Proof, Device-Session, x-a, x-b")]
    [InlineData("M-SEARCH", null, "M-SEARCH", "Device-Proof, Device-Session")]
    [InlineData("azAZ09-_,.!#$&^~*", "azAZ09-_, .!#$&^~*", "azAZ09-_,.!#$&^~*", "Device-Proof, Device-Session, azAZ09-_, .!#$&^~*")]
    [InlineData("PUT\n", "x-a\r\nSet-Cookie: a", null, "Device-Proof, Device-Session")]
    [InlineData("P/T", "x-a;x-b", null, "Device-Proof, Device-Session")]
    [InlineData("1024", "1024", "1024", "1024")]
    [InlineData("1025", "1025", null, "Device-Proof, Device-Session")]
    public async Task A_page_may_send_what_it_asks_for(string method, string? headers, string? allowedMethod, string allowedHeaders)
    {
        MemoryRequest request = await SendAsync(
            Gate(), "OPTIONS", Nonce, ("Origin", Page), ("Access-Control-Request-Method", Long(method)), ("Access-Control-Request-Headers", headers is null ? null : Long(headers)));

        IHeaderDictionary answer = request.Http.Response.Headers;
        request.Http.Response.StatusCode.ShouldBe(204);
        ((string?)answer.AccessControlAllowMethods).ShouldBe(allowedMethod is null ? null : Long(allowedMethod));
        ((string?)answer.AccessControlAllowHeaders).ShouldBe(allowedHeaders == "1024" ? $"Device-Proof, Device-Session, {Long("1024")}" : allowedHeaders);
        ((string?)answer.AccessControlMaxAge).ShouldBe("600");
        request.Text.ShouldBeEmpty();

        static string Long(string text) => int.TryParse(text, out int length) ? new string('a', length) : text;
    }

    [Fact]
    public async Task A_failure_is_answered_and_if_the_answer_has_begun_the_request_aborted()
    {
        MemoryRequest request = await SendAsync(Gate(), new MemoryRequest("GET", "/.well-known/proxygateway/broken") { HasBegun = true }, new IPEndPoint(IPAddress.Loopback, 1));

        request.IsAborted.ShouldBeTrue();
        request.Http.Response.StatusCode.ShouldBe(200);
    }

    private MemoryGate Gate(Func<DeviceAuthOptions, DeviceAuthOptions>? configure = null)
    {
        var gate = new MemoryGate(
            options => (configure ?? (o => o))(options with { AllowedOrigins = [Page] }),
            services => services.AddSingleton<IReservedEndpoint, Echo>().AddSingleton<IReservedEndpoint, Broken>());
        _disposables.Add(gate);
        return gate;
    }

    private static Task<MemoryRequest> SendAsync(MemoryGate gate, string method, string path, params (string Name, string? Value)[] headers) =>
        SendAsync(gate, new MemoryRequest(method, path), new IPEndPoint(IPAddress.Parse("192.0.2.1"), 1), headers);

    private static async Task<MemoryRequest> SendAsync(MemoryGate gate, MemoryRequest request, EndPoint? from, params (string Name, string? Value)[] headers)
    {
        using (request)
        {
            request.Http.Request.Host = new HostString("localhost");
            request.Http.Features.Set<IConnectionEndPointFeature>(new Peer(from));
            foreach ((string name, string? value) in headers)
            {
                if (value is not null)
                    request.Http.Request.Headers[name] = value;
            }

            var app = new ApplicationBuilder(gate.Get<IServiceProvider>());
            gate.Get<IEnumerable<IStartupFilter>>().Single(filter => filter is ReservedPaths).Configure(behind => behind.Run(Application))(app);
            await request.RunAsync(() => app.Build()(request.Http));
        }

        return request;
    }

    private static Task Application(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status418ImATeapot;
        return Task.CompletedTask;
    }

    private sealed class Echo : IReservedEndpoint
    {
        public string Name => "echo";

        public string Method => "PUT";

        public Task AnswerAsync(HttpContext http, ClaimOrigin origin) => Task.CompletedTask;
    }

    private sealed class Broken : IReservedEndpoint
    {
        public string Name => "broken";

        public string Method => "GET";

        public Task AnswerAsync(HttpContext http, ClaimOrigin origin) => throw new NotSupportedException();
    }

    private sealed class Peer(EndPoint? remote) : IConnectionEndPointFeature
    {
        public EndPoint? LocalEndPoint { get; set; }

        public EndPoint? RemoteEndPoint
        {
            get => remote ?? throw new ObjectDisposedException("socket");
            set => throw new NotSupportedException();
        }
    }
}
