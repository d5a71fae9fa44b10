using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>Plain requests on a Proof route: what is admitted, and how the rest is refused.</summary>
public sealed class ProofRequestTests : IAsyncLifetime, IDisposable
{
    private const int Chunk = 100_000; // YARP collects a few kilobytes of a plain request before it sends them

    private readonly ProofSigner _device = ProofSigner.WithEd25519();
    private readonly HttpClient _plain = new() { Timeout = Eventually.Patience };
    private ProofSetting _gate = null!;

    public async Task InitializeAsync() => _gate = await ProofSetting.StartAsync();

    public async Task DisposeAsync() => await _gate.DisposeAsync();

    public void Dispose()
    {
        _device.Dispose();
        _plain.Dispose();
    }

    [Fact]
    public async Task A_request_without_a_proof_is_refused_and_gets_a_nonce()
    {
        using HttpResponseMessage answer = await _plain.GetAsync(new Uri(_gate.Address, "/work"));

        await ProofSetting.ProblemOf(answer, HttpStatusCode.Forbidden, "device_proof_required");
        NonceOf(answer).Length.ShouldBe(28);
        answer.Headers.WwwAuthenticate.ShouldBeEmpty("older MCP clients would begin an OAuth flow");
        _gate.State.Requests.ShouldBe(0);
        _gate.Connections.Count.ShouldBe(0);
    }

    [Theory]
    [InlineData("Ed25519")]
    [InlineData("ES256")]
    public async Task A_device_is_refused_until_an_operator_approves_it_and_then_forwarded_without_its_proof(string algorithm)
    {
        using ProofSigner device = algorithm == "ES256" ? ProofSigner.WithP256() : ProofSigner.WithEd25519();
        using HttpClient client = _gate.Client(device);
        using (HttpResponseMessage refused = await client.GetAsync(new Uri("/work?x=1", UriKind.Relative)))
        {
            JsonNode problem = await ProofSetting.ProblemOf(refused, HttpStatusCode.Forbidden, "pairing_required");
            ((string?)problem["reason"], (bool?)problem["retryable"], (string?)problem["deviceId"]).ShouldBe(("not-paired", true, device.Id.ToString()));
            ((string?)problem["detail"])!.ShouldContain((string)problem["requestId"]!);
            refused.Headers.RetryAfter.ShouldNotBeNull();
            NonceOf(refused).ShouldNotBeEmpty();
            _gate.State.Requests.ShouldBe(0);
        }

        await _gate.PairAsync(device);
        using HttpResponseMessage answer = await client.GetAsync(new Uri("/work?x=1", UriKind.Relative));

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await answer.Content.ReadAsStringAsync()).ShouldBe("done");
        answer.Headers.Contains("Device-Nonce").ShouldBeFalse("the used one is fresh, and the backend's is none");
        _gate.Heard.ShouldHaveSingleItem().Keys.ShouldNotContain(name => name.StartsWith("Device-", StringComparison.OrdinalIgnoreCase));
        await Eventually.HoldsAsync(() => Task.FromResult(_gate.Connections.Count == 0), "its session is over with it");
        (await _gate.Registry.FindAsync(device.Id, default)).ShouldNotBeNull().PublicKey.ShouldBe(device.PublicKey);
    }

    [Fact]
    public async Task A_proof_without_a_nonce_is_told_the_nonce_and_no_failure()
    {
        await _gate.PairAsync(_device);

        using HttpResponseMessage first = await SendAsync(_device.Prove("GET", Url("/work"), nonce: null));

        await ProofSetting.ProblemOf(first, HttpStatusCode.Unauthorized, "use_dpop_nonce");
        first.Headers.WwwAuthenticate.ToString().ShouldBe("Device-Proof error=\"use_dpop_nonce\"");
        using HttpResponseMessage second = await SendAsync(_device.Prove("GET", Url("/work"), NonceOf(first)));
        second.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_proof_that_does_not_hold_is_refused_and_its_client_told_which_part()
    {
        await _gate.PairAsync(_device);
        string nonce = await _gate.NonceAsync();
        var clock = new FakeTimeProvider(DateTimeOffset.UtcNow - TimeSpan.FromHours(1));
        using ProofSigner late = ProofSigner.WithEd25519(time: clock);

        using HttpResponseMessage answer = await SendAsync(late.Prove("GET", Url("/other"), nonce));

        JsonNode problem = await ProofSetting.ProblemOf(answer, HttpStatusCode.Unauthorized, "invalid_dpop_proof");
        answer.Headers.WwwAuthenticate.ToString().ShouldBe("Device-Proof error=\"invalid_dpop_proof\"");
        NonceOf(answer).ShouldNotBeEmpty();
        ((string?)problem["claim"]).ShouldBe("htu");
        ((string?)problem["expectedHtu"]).ShouldBe($"http://localhost:{_gate.Address.Port}/work");
        ((double)problem["clockOffsetSeconds"]!).ShouldBe(-3600, 30);
        _gate.State.Requests.ShouldBe(0);
    }

    [Fact]
    public async Task A_client_in_1970_and_one_an_hour_ahead_are_admitted()
    {
        foreach (DateTimeOffset time in (DateTimeOffset[])[DateTimeOffset.UnixEpoch, DateTimeOffset.UtcNow + TimeSpan.FromHours(1)])
        {
            using ProofSigner device = ProofSigner.WithEd25519(time: new FakeTimeProvider(time));
            await _gate.PairAsync(device);
            using HttpClient client = _gate.Client(device);
            using HttpResponseMessage answer = await client.GetAsync(new Uri("/work", UriKind.Relative));
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        }
    }

    [Fact]
    public async Task Two_proofs_are_none()
    {
        await _gate.PairAsync(_device);
        using var request = new HttpRequestMessage(HttpMethod.Get, Url("/work"));
        string nonce = await _gate.NonceAsync();
        request.Headers.Add("Device-Proof", [_device.Prove("GET", Url("/work"), nonce), _device.Prove("GET", Url("/work"), nonce)]);

        using HttpResponseMessage answer = await _plain.SendAsync(request);

        JsonNode problem = await ProofSetting.ProblemOf(answer, HttpStatusCode.Unauthorized, "invalid_dpop_proof");
        ((string?)problem["claim"]).ShouldBe("jwt");
        _gate.State.Requests.ShouldBe(0);
    }

    [Fact]
    public async Task A_proof_is_for_its_method()
    {
        await _gate.PairAsync(_device);
        using var request = new HttpRequestMessage(HttpMethod.Delete, Url("/work"));
        request.Headers.Add("Device-Proof", _device.Prove("GET", Url("/work"), await _gate.NonceAsync()));

        using HttpResponseMessage answer = await _plain.SendAsync(request);

        ((string?)(await ProofSetting.ProblemOf(answer, HttpStatusCode.Unauthorized, "invalid_dpop_proof"))["claim"]).ShouldBe("htm");
    }

    // A hostile site could relay a nonce to a device, and the proof that it gets to the gateway, with its own name in Host.
    [Fact]
    public async Task A_proof_for_another_site_does_not_count_although_Host_names_that_site()
    {
        await _gate.DisposeAsync();
        _gate = await ProofSetting.StartAsync(options => options with { PublicOrigins = ["https://gate.example"] });
        string nonce = await _gate.NonceAsync();

        using HttpResponseMessage relayed = await SendAsync(_device.Prove("GET", new Uri("https://evil.example/work"), nonce), host: "evil.example");
        using HttpResponseMessage own = await SendAsync(_device.Prove("GET", new Uri("https://gate.example/work"), nonce), host: "evil.example");

        JsonNode problem = await ProofSetting.ProblemOf(relayed, HttpStatusCode.Unauthorized, "invalid_dpop_proof");
        ((string?)problem["expectedHtu"]).ShouldBe("https://gate.example/work");
        await ProofSetting.ProblemOf(own, HttpStatusCode.Forbidden, "pairing_required");
    }

    [Fact]
    public async Task A_path_is_compared_as_it_was_received()
    {
        await _gate.PairAsync(_device);
        string nonce = await _gate.NonceAsync();
        string Proof(string path) => _device.Sign(
            new JsonObject { ["typ"] = "dpop+jwt", ["alg"] = "Ed25519", ["jwk"] = _device.Jwk }.ToJsonString(),
            new JsonObject { ["jti"] = Guid.NewGuid().ToString(), ["htm"] = "GET", ["htu"] = $"http://127.0.0.1{path}", ["iat"] = 0, ["nonce"] = nonce }.ToJsonString());

        (await RawAsync("/a%2fb/%7ec?q=/d", Proof("/a%2Fb/~c"))).ShouldStartWith("HTTP/1.1 200");
        (await RawAsync("/a%2fb", Proof("/a/b"))).ShouldStartWith("HTTP/1.1 401");
        (await RawAsync("/x/../work", Proof("/work"))).ShouldStartWith("HTTP/1.1 401");
        (await RawAsync("http://127.0.0.1/work", Proof("/work"))).ShouldStartWith("HTTP/1.1 401");
    }

    [Fact]
    public async Task A_refused_body_is_never_asked_for()
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(_gate.Address.Host, _gate.Address.Port);
        NetworkStream stream = socket.GetStream();

        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /upload HTTP/1.1\r\nHost: {_gate.Address.Authority}\r\nExpect: 100-continue\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n"));

        (await FirstLineAsync(stream)).ShouldBe("HTTP/1.1 403 Forbidden");
        _gate.State.Requests.ShouldBe(0);
    }

    [Fact]
    public async Task A_body_is_streamed_to_the_backend_while_it_comes()
    {
        await _gate.PairAsync(_device);
        using HttpClient client = _gate.Client(_device);
        using var body = new GrowingContent();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/upload", UriKind.Relative)) { Content = body };

        Task<HttpResponseMessage> sending = client.SendAsync(request);
        await (await body.StreamAsync()).WriteAsync(new byte[Chunk]);
        await (await body.StreamAsync()).FlushAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(_gate.State.BytesRead > 0), "the backend has what came");
        sending.IsCompleted.ShouldBeFalse();
        body.Complete();

        using HttpResponseMessage answer = await sending;
        (await answer.Content.ReadAsStringAsync()).ShouldBe($"read {Chunk}");
    }

    [Fact]
    public async Task A_removal_ends_an_upload()
    {
        await _gate.PairAsync(_device);
        using HttpClient client = _gate.Client(_device);
        using var body = new GrowingContent();
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("/upload", UriKind.Relative)) { Content = body };
        Task<HttpResponseMessage> sending = client.SendAsync(request);
        await (await body.StreamAsync()).WriteAsync(new byte[Chunk]);
        await (await body.StreamAsync()).FlushAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(_gate.State.BytesRead > 0), "it is under way");

        await _gate.RemoveAsync(_device);

        await Eventually.HoldsAsync(() => Task.FromResult(_gate.State.Ended == 1 && _gate.Connections.Count == 0), "it is over at the backend too");
        body.Complete();
        await Should.ThrowAsync<HttpRequestException>(() => sending);
    }

    [Fact]
    public async Task A_removal_ends_a_stream_of_events()
    {
        await _gate.PairAsync(_device);
        using HttpClient client = _gate.Client(_device);
        using HttpResponseMessage answer = await client.GetAsync(new Uri("/stream", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        answer.Content.Headers.ContentType?.MediaType.ShouldBe("text/event-stream");
        Stream stream = await answer.Content.ReadAsStreamAsync();
        (await stream.ReadAsync(new byte[9])).ShouldBe(9);
        DeviceConnection connection = _gate.Connections.List().ShouldHaveSingleItem();
        connection.Device.ShouldBe(_device.Id);

        await _gate.RemoveAsync(_device);

        await Should.ThrowAsync<IOException>(async () => _ = await stream.ReadAsync(new byte[9]).AsTask().WaitAsync(Eventually.Patience));
        await Eventually.HoldsAsync(() => Task.FromResult(_gate.State.Ended == 1 && _gate.Connections.Count == 0), "it is over at the backend too");
        using HttpResponseMessage again = await client.GetAsync(new Uri("/work", UriKind.Relative));
        await ProofSetting.ProblemOf(again, HttpStatusCode.Forbidden, "pairing_required");
    }

    [Fact]
    public async Task A_nonce_past_half_its_life_is_replaced_by_an_answer_that_succeeds_and_refused_at_the_end()
    {
        await _gate.DisposeAsync();
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        _gate = await ProofSetting.StartAsync(time: time);
        await _gate.PairAsync(_device);
        string nonce = await _gate.NonceAsync();

        time.Advance(TimeSpan.FromSeconds(59));
        using HttpResponseMessage fresh = await SendAsync(_device.Prove("GET", Url("/work"), nonce));
        (fresh.StatusCode, fresh.Headers.Contains("Device-Nonce")).ShouldBe((HttpStatusCode.OK, false));
        time.Advance(TimeSpan.FromSeconds(3));
        using HttpResponseMessage half = await SendAsync(_device.Prove("GET", Url("/work"), nonce));
        half.StatusCode.ShouldBe(HttpStatusCode.OK);
        NonceOf(half).ShouldNotBe(nonce);
        time.Advance(TimeSpan.FromSeconds(60));
        using HttpResponseMessage old = await SendAsync(_device.Prove("GET", Url("/work"), nonce));
        await ProofSetting.ProblemOf(old, HttpStatusCode.Unauthorized, "use_dpop_nonce");
        using HttpResponseMessage replaced = await SendAsync(_device.Prove("GET", Url("/work"), NonceOf(half)));
        replaced.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_route_with_scopes_needs_a_claim_that_covers_them_and_asks_for_them_by_itself()
    {
        await _gate.PairAsync(_device, options: new ProofOptions { Scopes = ScopeSet.Of("files.read") });
        using HttpClient reader = _gate.Client(_device, new ProofOptions { Scopes = ScopeSet.Of("files.read") });
        using HttpClient asking = _gate.Client(_device);
        using HttpResponseMessage insufficient = await reader.GetAsync(new Uri("/scoped/file", UriKind.Relative));
        using HttpResponseMessage upgrade = await asking.GetAsync(new Uri("/scoped/file", UriKind.Relative));
        using HttpResponseMessage elsewhere = await reader.GetAsync(new Uri("/work", UriKind.Relative));

        JsonNode problem = await ProofSetting.ProblemOf(insufficient, HttpStatusCode.Forbidden, "insufficient_scope");
        ((string?)problem["detail"])!.ShouldContain("files.read files.write");
        problem = await ProofSetting.ProblemOf(upgrade, HttpStatusCode.Forbidden, "pairing_required");
        ((string?)problem["reason"]).ShouldBe("scope-upgrade");
        elsewhere.StatusCode.ShouldBe(HttpStatusCode.OK);
        await _gate.PairAsync(_device, "/scoped/file");
        using HttpResponseMessage approved = await asking.GetAsync(new Uri("/scoped/file", UriKind.Relative));
        approved.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Nobody_is_admitted_while_the_registry_is_unavailable()
    {
        await _gate.PairAsync(_device);
        using HttpClient client = _gate.Client(_device);
        _gate.Store.IsAvailable = false;

        using HttpResponseMessage answer = await client.GetAsync(new Uri("/work", UriKind.Relative));

        JsonNode problem = await ProofSetting.ProblemOf(answer, HttpStatusCode.ServiceUnavailable, "registry_unavailable");
        ((bool?)problem["retryable"]).ShouldBe(true);
        answer.Headers.RetryAfter.ShouldNotBeNull();
        _gate.State.Requests.ShouldBe(0);
    }

    [Fact]
    public async Task A_blocked_device_need_not_try_again()
    {
        await _gate.PairAsync(_device);
        await _gate.BlockAsync(_device);
        using HttpClient client = _gate.Client(_device);

        using HttpResponseMessage answer = await client.GetAsync(new Uri("/work", UriKind.Relative));

        ((bool?)(await ProofSetting.ProblemOf(answer, HttpStatusCode.Forbidden, "device_blocked"))["retryable"]).ShouldBe(false);
        answer.Headers.RetryAfter.ShouldBeNull();
    }

    [Fact]
    public async Task A_filter_of_the_application_refuses_with_its_words()
    {
        await _gate.DisposeAsync();
        _gate = await ProofSetting.StartAsync(services: services => Microsoft.Extensions.DependencyInjection.ServiceCollectionServiceExtensions.AddSingleton<IAdmissionFilter>(services, new Night()));
        using HttpClient client = _gate.Client(_device);

        using HttpResponseMessage answer = await client.GetAsync(new Uri("/work", UriKind.Relative));

        ((string?)(await ProofSetting.ProblemOf(answer, HttpStatusCode.Forbidden, "refused"))["detail"]).ShouldBe("come back in the morning");
    }

    private static string NonceOf(HttpResponseMessage answer) => answer.Headers.GetValues("Device-Nonce").Single();

    private Uri Url(string path) => new(_gate.Address, path);

    private async Task<HttpResponseMessage> SendAsync(string proof, string? host = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Url("/work"));
        request.Headers.Add("Device-Proof", proof);
        request.Headers.Host = host;
        return await _plain.SendAsync(request);
    }

    private async Task<string> RawAsync(string target, string proof)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(_gate.Address.Host, _gate.Address.Port);
        NetworkStream stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nDevice-Proof: {proof}\r\nConnection: close\r\n\r\n"));
        return await FirstLineAsync(stream);
    }

    private static async Task<string> FirstLineAsync(NetworkStream stream)
    {
        using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
        return await reader.ReadLineAsync().WaitAsync(Eventually.Patience) ?? "";
    }

    private sealed class Night : IAdmissionFilter
    {
        public ValueTask<string?> RefuseAsync(AdmissionContext admission, CancellationToken cancellationToken) => new("come back in the morning");
    }
}
