using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>Pages of other origins on Proof routes, and the paths that the gate keeps for itself.</summary>
public sealed class ProofCrossOriginTests : IAsyncLifetime, IDisposable
{
    private const string Page = "https://app.example";

    private readonly ProofSigner _device = ProofSigner.WithP256();
    private readonly HttpClient _plain = new() { Timeout = Eventually.Patience };
    private ProofSetting _gate = null!;

    public async Task InitializeAsync() => _gate = await ProofSetting.StartAsync(
        options => options with { AllowedOrigins = [Page] },
        mapBackend: backend => backend.Map("/own-cors", context =>
        {
            context.Response.Headers.AccessControlAllowOrigin = "*";
            context.Response.Headers.AccessControlExposeHeaders = "X-Own";
            return context.Response.WriteAsync("done", context.RequestAborted);
        }));

    public async Task DisposeAsync() => await _gate.DisposeAsync();

    public void Dispose()
    {
        _device.Dispose();
        _plain.Dispose();
    }

    [Fact]
    public async Task A_preflight_of_an_allowed_origin_is_answered_by_the_gate()
    {
        using HttpResponseMessage answer = await PreflightAsync("/work", Page);

        answer.StatusCode.ShouldBe(HttpStatusCode.NoContent);
        Header(answer, "Access-Control-Allow-Origin").ShouldBe(Page);
        Header(answer, "Access-Control-Allow-Methods").ShouldBe("PUT");
        Header(answer, "Access-Control-Allow-Headers").ShouldBe("Device-Proof, Device-Session, content-type, mcp-method");
        Header(answer, "Vary").ShouldBe("Origin");
        answer.Headers.Contains("Access-Control-Allow-Credentials").ShouldBeFalse();
        _gate.State.Requests.ShouldBe(0);
    }

    [Fact]
    public async Task A_preflight_of_a_foreign_origin_is_refused()
    {
        using HttpResponseMessage answer = await PreflightAsync("/work", "https://evil.example");

        answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        Header(answer, "Access-Control-Allow-Origin").ShouldBeNull();
        _gate.State.Requests.ShouldBe(0);
    }

    // Without Origin, or without the question, it is a request like any other.
    [Theory]
    [InlineData(null, "PUT")]
    [InlineData(Page, null)]
    public async Task What_is_no_preflight_needs_a_proof(string? origin, string? method)
    {
        using HttpResponseMessage answer = await PreflightAsync("/work", origin, method);
        await ProofSetting.ProblemOf(answer, HttpStatusCode.Forbidden, "device_proof_required");
    }

    [Fact]
    public async Task A_request_that_looks_like_a_preflight_but_for_its_method_needs_a_proof()
    {
        using HttpResponseMessage answer = await PreflightAsync("/work", Page, ofMethod: HttpMethod.Get);
        await ProofSetting.ProblemOf(answer, HttpStatusCode.Forbidden, "device_proof_required");
    }

    [Theory]
    [InlineData("x-own\"; a=b")]
    [InlineData("<script>")]
    public async Task What_no_browser_asks_for_is_not_repeated(string headers)
    {
        using HttpResponseMessage answer = await PreflightAsync("/work", Page, headers: headers);

        answer.StatusCode.ShouldBe(HttpStatusCode.NoContent);
        Header(answer, "Access-Control-Allow-Headers").ShouldBe("Device-Proof, Device-Session");
    }

    [Fact]
    public async Task A_page_of_an_allowed_origin_can_read_refusals_and_answers()
    {
        using var unproved = new HttpRequestMessage(HttpMethod.Get, new Uri(_gate.Address, "/work"));
        unproved.Headers.Add("Origin", Page);
        using HttpResponseMessage refused = await _plain.SendAsync(unproved);
        Header(refused, "Access-Control-Allow-Origin").ShouldBe(Page);
        Header(refused, "Access-Control-Expose-Headers").ShouldNotBeNull().ShouldContain("Device-Nonce");

        await _gate.PairAsync(_device);
        using HttpClient client = _gate.Client(_device);
        client.DefaultRequestHeaders.Add("Origin", Page);
        using HttpResponseMessage plain = await client.GetAsync(new Uri("/work", UriKind.Relative));
        using HttpResponseMessage own = await client.GetAsync(new Uri("/own-cors", UriKind.Relative));

        (plain.StatusCode, Header(plain, "Access-Control-Allow-Origin")).ShouldBe((HttpStatusCode.OK, Page));
        Header(own, "Access-Control-Allow-Origin").ShouldBe("*");
        Header(own, "Access-Control-Expose-Headers").ShouldNotBeNull().ShouldStartWith("X-Own");
    }

    [Fact]
    public async Task A_request_of_a_foreign_origin_is_refused_even_with_a_proof()
    {
        await _gate.PairAsync(_device);
        using HttpClient client = _gate.Client(_device);
        client.DefaultRequestHeaders.Add("Origin", "https://evil.example");

        using HttpResponseMessage answer = await client.GetAsync(new Uri("/work", UriKind.Relative));

        answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        Header(answer, "Access-Control-Allow-Origin").ShouldBeNull();
        _gate.State.Requests.ShouldBe(0);
    }

    [Theory]
    [InlineData("GET", "/.well-known/proxygateway/nonce", 200)]
    [InlineData("HEAD", "/.well-known/proxygateway/nonce", 200)]
    [InlineData("POST", "/.well-known/proxygateway/nonce", 405)]
    [InlineData("GET", "/.well-known/proxygateway/nonce/", 404)]
    [InlineData("GET", "/.well-known/proxygateway/other", 404)]
    [InlineData("GET", "/.well-known/ProxyGateway/nonce", 404)]
    [InlineData("GET", "/.well-known/%70roxygateway/other", 404)]
    [InlineData("GET", "/.well-known/proxygateway", 404)]
    public async Task The_gates_own_paths_reach_no_backend(string method, string path, int status)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(_gate.Address, path));
        using HttpResponseMessage answer = await _plain.SendAsync(request);

        ((int)answer.StatusCode).ShouldBe(status);
        _gate.State.Requests.ShouldBe(0);
    }

    [Fact]
    public async Task A_nonce_is_for_pages_of_allowed_origins_and_is_not_stored()
    {
        using HttpResponseMessage allowed = await NonceAsync(Page);
        using HttpResponseMessage foreign = await NonceAsync("https://evil.example");

        allowed.StatusCode.ShouldBe(HttpStatusCode.OK);
        (Header(allowed, "Access-Control-Allow-Origin"), allowed.Headers.CacheControl?.NoStore).ShouldBe((Page, true));
        (await allowed.Content.ReadAsStringAsync()).ShouldBe($$"""{"nonce":"{{Header(allowed, "Device-Nonce")}}"}""");
        foreign.StatusCode.ShouldBe(HttpStatusCode.Forbidden);

        async Task<HttpResponseMessage> NonceAsync(string origin)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(_gate.Address, "/.well-known/proxygateway/nonce"));
            request.Headers.Add("Origin", origin);
            return await _plain.SendAsync(request);
        }
    }

    [Fact]
    public async Task Nonces_come_at_a_bounded_rate()
    {
        await _gate.DisposeAsync();
        _gate = await ProofSetting.StartAsync(options => options with { Limits = options.Limits with { HandshakesPerSecondPerAddress = 2 } });
        var statuses = new List<HttpStatusCode>();
        for (int i = 0; i < 10; i++)
        {
            using HttpResponseMessage answer = await _plain.GetAsync(new Uri(_gate.Address, "/.well-known/proxygateway/nonce"));
            statuses.Add(answer.StatusCode);
        }

        statuses[0].ShouldBe(HttpStatusCode.OK);
        statuses.ShouldContain(HttpStatusCode.TooManyRequests);
    }

    private async Task<HttpResponseMessage> PreflightAsync(
        string path, string? origin, string? method = "PUT", string headers = "content-type, mcp-method", HttpMethod? ofMethod = null)
    {
        using var request = new HttpRequestMessage(ofMethod ?? HttpMethod.Options, new Uri(_gate.Address, path));
        if (origin is not null)
            request.Headers.Add("Origin", origin);
        if (method is not null)
            request.Headers.Add("Access-Control-Request-Method", method);
        request.Headers.TryAddWithoutValidation("Access-Control-Request-Headers", headers);
        return await _plain.SendAsync(request);
    }

    private static string? Header(HttpResponseMessage answer, string name) =>
        answer.Headers.TryGetValues(name, out IEnumerable<string>? values) ? string.Join(", ", values) : null;
}
