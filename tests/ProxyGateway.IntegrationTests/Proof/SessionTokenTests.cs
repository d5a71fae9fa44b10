using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>A session token stands for the proofs of its device for five minutes, and for nothing that the device does not have at that moment.</summary>
public sealed class SessionTokenTests : IAsyncLifetime, IDisposable
{
    private const string Page = "https://app.example";
    private const string ForDefault = """{"audience":"default"}""";
    private const string ForMail = """{"audience":"mail"}""";

    private static readonly Dictionary<string, string> Allowed = new() { ["DeviceAuth.SessionTokens"] = "Allow" };
    private static readonly GrantKey Client = new(Audience.Default, "client");

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly ProofSigner _device = ProofSigner.WithP256();
    private readonly CancellationTokenSource _patience = new(Eventually.Patience);
    private ProofSetting _gate = null!;

    public async Task InitializeAsync() => _gate = await StartAsync();

    public async Task DisposeAsync() => await _gate.DisposeAsync();

    public void Dispose()
    {
        _device.Dispose();
        _patience.Dispose();
    }

    [Fact]
    public async Task A_token_admits_its_device_any_number_of_times()
    {
        var reader = new ProofOptions { Scopes = ScopeSet.Of("files.read"), Client = new ClientDescription("cli", "Lap top", "linux", "m") };
        await _gate.PairAsync(_device, options: reader);
        using HttpResponseMessage asked = await _gate.AskForTokenAsync(_device, """{"route":"agent"}""", reader);

        JsonNode answer = JsonNode.Parse(await asked.Content.ReadAsStringAsync())!;
        answer.AsObject().Select(m => m.Key).ShouldBe(["token", "expiresAt"]);
        (asked.StatusCode, asked.Headers.CacheControl?.NoStore, asked.Content.Headers.ContentType?.MediaType).ShouldBe((HttpStatusCode.OK, true, "application/json"));
        DateTimeOffset expiresAt = DateTimeOffset.Parse((string)answer["expiresAt"]!, CultureInfo.InvariantCulture);
        (expiresAt - _time.GetUtcNow()).ShouldBeInRange(TimeSpan.FromSeconds(299), TimeSpan.FromMinutes(5));
        for (int i = 0; i < 3; i++)
        {
            using HttpResponseMessage admitted = await _gate.SendTokenAsync((string)answer["token"]!);
            (admitted.StatusCode, admitted.Headers.Contains("Device-Nonce")).ShouldBe((HttpStatusCode.OK, false));
        }

        _gate.State.Requests.ShouldBe(3);
        await Eventually.HoldsAsync(() => Task.FromResult(_gate.Connections.Count == 0), "neither the asking nor a request has left a session");
        _gate.Heard.ShouldAllBe(h => h["X-Device-Id"] == _device.Id.ToString() && h["X-Device-Role"] == "client" && h["X-Device-Scopes"] == "files.read" && h["X-Device-Audience"] == "default");
        _gate.Heard.ShouldAllBe(h => !h.ContainsKey("Device-Session"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"route":"agent","audience":"default"}""")]
    [InlineData("""{"route":"agent"}x""")]
    public async Task Asking_for_a_token_needs_a_well_formed_body(string body)
    {
        await _gate.PairAsync(_device);
        using HttpResponseMessage answer = await _gate.AskForTokenAsync(_device, body);
        await ProofSetting.ProblemOf(answer, HttpStatusCode.BadRequest, "invalid_request");
        using HttpResponseMessage longer = await _gate.AskForTokenAsync(_device, ForDefault + new string(' ', 1024));
        await ProofSetting.ProblemOf(longer, HttpStatusCode.BadRequest, "invalid_request");
    }

    // Also for routes that do not exist: they are not for strangers to find out.
    [Theory]
    [InlineData("""{"route":"strict"}""")]
    [InlineData("""{"route":"open"}""")]
    [InlineData("""{"route":"frames"}""")]
    [InlineData("""{"route":"undecided"}""")]
    [InlineData("""{"audience":"undecided"}""")]
    [InlineData("""{"route":"nowhere"}""")]
    [InlineData("""{"audience":"nobody"}""")]
    [InlineData("""{"audience":"strict"}""")]
    public async Task There_are_tokens_only_where_the_route_allows_them(string body)
    {
        await _gate.PairAsync(_device);
        using HttpResponseMessage answer = await _gate.AskForTokenAsync(_device, body);
        await ProofSetting.ProblemOf(answer, HttpStatusCode.Forbidden, "session_tokens_not_allowed");
    }

    [Fact]
    public async Task Asking_for_a_token_needs_a_proof_for_that_which_is_used_once()
    {
        await _gate.PairAsync(_device);
        var url = new Uri(_gate.Address, "/.well-known/proxygateway/session");
        string nonce = await _gate.NonceAsync();
        string once = _device.Prove("POST", url, nonce);
        (string? Proof, HttpStatusCode Status, string Code)[] table =
        [
            (null, HttpStatusCode.Forbidden, "device_proof_required"),
            ("x", HttpStatusCode.Unauthorized, "invalid_dpop_proof"),
            (_device.Prove("POST", url, nonce: null), HttpStatusCode.Unauthorized, "use_dpop_nonce"),
            (_device.Prove("GET", url, nonce), HttpStatusCode.Unauthorized, "invalid_dpop_proof"),
            (_device.Prove("POST", new Uri(_gate.Address, "/work"), nonce), HttpStatusCode.Unauthorized, "invalid_dpop_proof"),
            (_device.Prove("POST", url, nonce, new ProofOptions { Token = "none" }), HttpStatusCode.Unauthorized, "invalid_dpop_proof"),
            (once, HttpStatusCode.OK, ""),
            (once, HttpStatusCode.Unauthorized, "proof_already_used"),
        ];
        using var client = new HttpClient { Timeout = Eventually.Patience };
        foreach ((string? proof, HttpStatusCode status, string code) in table)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new StringContent(ForDefault) };
            if (proof is not null)
                request.Headers.Add("Device-Proof", proof);
            using HttpResponseMessage answer = await client.SendAsync(request);
            if (status == HttpStatusCode.OK)
                answer.StatusCode.ShouldBe(status);
            else
                await ProofSetting.ProblemOf(answer, status, code);
        }

        using HttpResponseMessage got = await client.GetAsync(url);
        got.StatusCode.ShouldBe(HttpStatusCode.MethodNotAllowed);
    }

    [Fact]
    public async Task A_device_that_is_not_paired_asks_for_that_as_with_any_proof()
    {
        using HttpResponseMessage refused = await _gate.AskForTokenAsync(_device, """{"route":"scoped"}""");
        JsonNode problem = await ProofSetting.ProblemOf(refused, HttpStatusCode.Forbidden, "pairing_required");
        await _gate.ApproveAsync(RequestId.Parse((string)problem["requestId"]!));

        string token = await _gate.TokenAsync(_device, """{"route":"scoped"}""");

        await ShouldBeAsync(HttpStatusCode.OK, token, "/scoped/file");
        using HttpResponseMessage wider = await _gate.AskForTokenAsync(_device, ForDefault, new ProofOptions { Scopes = ScopeSet.Of("files.delete") });
        await ProofSetting.ProblemOf(wider, HttpStatusCode.Forbidden, "pairing_required");
        await _gate.BlockAsync(_device);
        using HttpResponseMessage blocked = await _gate.AskForTokenAsync(_device, ForDefault);
        await ProofSetting.ProblemOf(blocked, HttpStatusCode.Forbidden, "device_blocked");
    }

    [Fact]
    public async Task A_token_does_not_reach_beyond_the_scopes_it_was_made_for()
    {
        await _gate.PairAsync(_device, "/scoped/file");

        string token = await _gate.TokenAsync(_device, options: new ProofOptions { Scopes = ScopeSet.Of("files.read") });

        await ShouldBeAsync(HttpStatusCode.OK, token);
        using HttpResponseMessage answer = await _gate.SendTokenAsync(token, "/scoped/file");
        await ProofSetting.ProblemOf(answer, HttpStatusCode.Forbidden, "insufficient_scope");
        _gate.State.Requests.ShouldBe(1);
    }

    [Fact]
    public async Task A_token_is_for_one_audience()
    {
        await _gate.PairAsync(_device);
        await _gate.PairAsync(_device, "/mail/box");
        string token = await _gate.TokenAsync(_device);
        string mail = await _gate.TokenAsync(_device, ForMail);

        await ShouldBeInvalidAsync("audience", token, "/mail/box");
        await ShouldBeInvalidAsync("audience", mail);
        _gate.State.Requests.ShouldBe(0);
        await ShouldBeAsync(HttpStatusCode.OK, mail, "/mail/box");
    }

    // There it is nothing at all, with a proof as without.
    [Fact]
    public async Task A_token_is_no_proof_where_the_route_does_not_allow_it()
    {
        await _gate.PairAsync(_device);
        string token = await _gate.TokenAsync(_device);

        using HttpResponseMessage alone = await _gate.SendTokenAsync(token, "/strict/work");
        await ProofSetting.ProblemOf(alone, HttpStatusCode.Forbidden, "device_proof_required");
        _gate.State.Requests.ShouldBe(0);
        using HttpResponseMessage proved = await _gate.SendTokenAsync("forged", "/strict/work", await ProveAsync("/strict/work"));
        proved.StatusCode.ShouldBe(HttpStatusCode.OK);
        _gate.Heard.Last().ContainsKey("Device-Session").ShouldBeFalse();
    }

    [Theory]
    [InlineData("GET /work", "Device-Session: {token}\nDevice-Session: {token}", 401)]
    [InlineData("GET /work", "Device-Session: {token}, {token}", 401)]
    [InlineData("GET /work", "Device-Session: {token}\nDevice-Session:", 401)]
    [InlineData("GET /work", "Device-Session:", 401)]
    [InlineData("GET /work", "Device-Session: Bearer {token}", 401)]
    [InlineData("GET /work?Device-Session={token}", "", 403)]
    [InlineData("GET /work?token={token}", "", 403)]
    [InlineData("GET /work", "Device_Session: {token}", 403)]
    [InlineData("GET /work", "Authorization: Bearer {token}", 403)]
    [InlineData("GET /work", "Cookie: Device-Session={token}", 403)]
    [InlineData("GET /work", "Device-Proof: {token}", 401)]
    [InlineData("GET /work", "{upgrade}\nSec-WebSocket-Protocol: device-proof.v1, device-proof.v1.{token}", 101)] // to be closed with the reason
    [InlineData("GET /work", "Device-Nonce: {token}", 403)]
    [InlineData("POST /work", "Transfer-Encoding: chunked\nTrailer: Device-Session\n\n0\nDevice-Session: {token}", 403)]
    [InlineData("POST /.well-known/proxygateway/session", "Device-Session: {token}\nContent-Length: 22\n\n{\"audience\":\"default\"}", 403)]
    public async Task A_token_is_taken_once_and_from_its_header(string line, string headers, int status)
    {
        await _gate.PairAsync(_device);
        string token = await _gate.TokenAsync(_device);

        string answer = await RawAsync($"{line} HTTP/1.1\nHost: {_gate.Address.Authority}\n{headers}\n\n", token);

        answer.ShouldStartWith($"HTTP/1.1 {status} ");
        _gate.State.Requests.ShouldBe(0);
    }

    [Fact]
    public async Task A_removal_holds_at_once_and_a_new_approval_does_not_bring_the_token_back()
    {
        await _gate.PairAsync(_device);
        string token = await _gate.TokenAsync(_device);
        await ShouldBeAsync(HttpStatusCode.OK, token);

        await _gate.RemoveAsync(_device);

        await ShouldBeInvalidAsync("outdated", token);
        (await _gate.Registry.ListOpenRequestsAsync(cursor: null, 10, default)).Items.ShouldBeEmpty("a thief of the token must not ask in the name of the device");
        await _gate.PairAsync(_device);
        await ShouldBeInvalidAsync("outdated", token);
        _gate.State.Requests.ShouldBe(0);
        await ShouldBeAsync(HttpStatusCode.OK, await _gate.TokenAsync(_device));
    }

    [Fact]
    public async Task A_narrowed_a_taken_and_a_blocked_grant_hold_at_once()
    {
        var read = new ProofOptions { Scopes = ScopeSet.Of("files.read") };
        await _gate.PairAsync(_device, options: read);
        string token = await _gate.TokenAsync(_device, options: read);
        await _gate.ChangeAsync(_device, new DeviceChange.SetGrant(Client, new GrantTerms(ScopeSet.Empty)));
        await ShouldBeInvalidAsync("outdated", token);

        token = await _gate.TokenAsync(_device);
        await _gate.BlockAsync(_device);
        using (HttpResponseMessage blocked = await _gate.SendTokenAsync(token))
            await ProofSetting.ProblemOf(blocked, HttpStatusCode.Forbidden, "device_blocked");
        await _gate.ChangeAsync(_device, new DeviceChange.Unblock());
        await ShouldBeInvalidAsync("outdated", token);

        token = await _gate.TokenAsync(_device);
        await _gate.ChangeAsync(_device, new DeviceChange.TakeGrant(Client));
        await ShouldBeInvalidAsync("outdated", token);
        _gate.State.Requests.ShouldBe(0);
    }

    [Fact]
    public async Task A_token_does_not_outlive_its_grant()
    {
        await _gate.PairAsync(_device);
        DateTimeOffset until = _time.GetUtcNow() + TimeSpan.FromMinutes(2);
        await _gate.ChangeAsync(_device, new DeviceChange.SetGrant(Client, new GrantTerms(ScopeSet.Empty, until)));
        using HttpResponseMessage asked = await _gate.AskForTokenAsync(_device, ForDefault);
        JsonNode answer = JsonNode.Parse(await asked.Content.ReadAsStringAsync())!;
        (until - DateTimeOffset.Parse((string)answer["expiresAt"]!, CultureInfo.InvariantCulture)).ShouldBeInRange(TimeSpan.Zero, TimeSpan.FromSeconds(1));

        _time.Advance(TimeSpan.FromSeconds(119));
        await ShouldBeAsync(HttpStatusCode.OK, (string)answer["token"]!);
        _time.Advance(TimeSpan.FromSeconds(2));
        await ShouldBeInvalidAsync("outdated", (string)answer["token"]!);
    }

    [Fact]
    public async Task A_token_is_good_for_five_minutes_and_its_answers_have_a_nonce_when_it_is_time_for_another()
    {
        await _gate.PairAsync(_device);
        string token = await _gate.TokenAsync(_device);

        _time.Advance(TimeSpan.FromMinutes(3));
        using HttpResponseMessage half = await _gate.SendTokenAsync(token);
        (half.StatusCode, half.Headers.Contains("Device-Nonce")).ShouldBe((HttpStatusCode.OK, true));
        _time.Advance(TimeSpan.FromMinutes(2));
        using HttpResponseMessage old = await ShouldBeInvalidAsync("expired", token);
        old.Headers.WwwAuthenticate.ToString().ShouldBe("Device-Proof error=\"invalid_token\"");
        old.Headers.GetValues("Device-Nonce").Single().Length.ShouldBe(28);
    }

    [Fact]
    public async Task Tokens_outlive_a_change_of_keys()
    {
        await _gate.PairAsync(_device);
        await _gate.TokenAsync(_device);
        _time.Advance(TimeSpan.FromHours(24) - TimeSpan.FromMinutes(1));
        string token = await _gate.TokenAsync(_device);

        _time.Advance(TimeSpan.FromMinutes(2));
        string next = await _gate.TokenAsync(_device);

        KeyOf(next).ShouldNotBe(KeyOf(token));
        await ShouldBeAsync(HttpStatusCode.OK, token);
        await ShouldBeAsync(HttpStatusCode.OK, next);

        static byte KeyOf(string token) => Convert.FromBase64String(token[..4].Replace('-', '+').Replace('_', '/'))[1];
    }

    [Fact]
    public async Task A_proof_beside_a_token_names_it_and_asks_for_no_more()
    {
        var reader = new ProofOptions { Scopes = ScopeSet.Of("files.read") };
        await _gate.PairAsync(_device, options: new ProofOptions { Scopes = ScopeSet.Of("files.read", "files.write") });
        string token = await _gate.TokenAsync(_device, options: reader);
        using ProofSigner other = ProofSigner.WithEd25519();
        await _gate.PairAsync(other, options: reader);
        string theirs = await _gate.TokenAsync(other, options: reader);
        (string Token, ProofOptions Options, int Status, string Code)[] table =
        [
            (token, new ProofOptions(), 401, "invalid_dpop_proof"),
            (token, new ProofOptions { Token = "other" }, 401, "invalid_dpop_proof"),
            (theirs, new ProofOptions { Token = theirs }, 401, "invalid_session_token"),
            (token, reader with { Token = token, Scopes = ScopeSet.Of("files.read", "files.write") }, 401, "invalid_session_token"),
            (token, new ProofOptions { Token = token, Role = "node" }, 401, "invalid_session_token"),
            ("forged", new ProofOptions { Token = "forged" }, 401, "invalid_session_token"),
            (token, new ProofOptions { Token = token, Id = "one" }, 200, ""),
            (token, new ProofOptions { Token = token, Id = "one" }, 401, "proof_already_used"),
            (token, new ProofOptions { Token = token, Scopes = ScopeSet.Empty }, 200, ""),
        ];
        foreach ((string shown, ProofOptions options, int status, string code) in table)
        {
            using HttpResponseMessage answer = await _gate.SendTokenAsync(shown, proof: _device.Prove("GET", Url("/work"), await _gate.NonceAsync(), options));
            if (status == 200)
                answer.StatusCode.ShouldBe(HttpStatusCode.OK);
            else
                await ProofSetting.ProblemOf(answer, (HttpStatusCode)status, code);
        }

        _gate.Heard.Select(h => h["X-Device-Scopes"].ToString()).ShouldBe(["files.read", ""]);
        using (HttpClient client = _gate.Client(_device, new ProofOptions { Token = token }))
        using (HttpResponseMessage alone = await client.GetAsync(new Uri("/work", UriKind.Relative)))
            await ProofSetting.ProblemOf(alone, HttpStatusCode.Unauthorized, "invalid_dpop_proof");
        await _gate.RemoveAsync(_device);
        using HttpResponseMessage removed = await _gate.SendTokenAsync(token, proof: _device.Prove("GET", Url("/work"), await _gate.NonceAsync(), new ProofOptions { Token = token }));
        await ProofSetting.ProblemOf(removed, HttpStatusCode.Unauthorized, "invalid_session_token");
    }

    // The registry of a flooded gateway must not hear of forged tokens, and it need not be there to refuse them.
    [Fact]
    public async Task A_forged_token_costs_no_look_up_and_a_good_one_is_nothing_without_the_registry()
    {
        await _gate.PairAsync(_device);
        string token = await _gate.TokenAsync(_device);
        _gate.Store.IsAvailable = false;

        await ShouldBeInvalidAsync("invalid", token[..^1] + (token[^1] == 'A' ? 'B' : 'A'));
        using HttpResponseMessage answer = await _gate.SendTokenAsync(token);
        await ProofSetting.ProblemOf(answer, HttpStatusCode.ServiceUnavailable, "registry_unavailable");
        _gate.State.Requests.ShouldBe(0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_WebSocket_is_opened_with_a_token_and_closed_by_a_removal(int version)
    {
        await _gate.PairAsync(_device);
        string token = await _gate.TokenAsync(_device);
        using ClientWebSocket socket = await ConnectAsync(version, token);
        await socket.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, _patience.Token);
        (await socket.ReceiveAsync(new byte[16], _patience.Token)).Count.ShouldBe(5);
        _gate.Heard.ShouldHaveSingleItem().ContainsKey("Device-Session").ShouldBeFalse();

        await _gate.RemoveAsync(_device);

        WebSocketReceiveResult close = await socket.ReceiveAsync(new byte[16], _patience.Token);
        ((int?)close.CloseStatus, close.CloseStatusDescription).ShouldBe((1008, "device removed"));
        using ClientWebSocket refused = await ConnectAsync(version, token);
        refused.HttpStatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        _gate.State.Requests.ShouldBe(1);
    }

    [Fact]
    public async Task A_removal_ends_a_stream_that_a_token_has_begun()
    {
        await _gate.PairAsync(_device);
        using var client = new HttpClient { Timeout = Eventually.Patience };
        client.DefaultRequestHeaders.Add("Device-Session", await _gate.TokenAsync(_device));
        using HttpResponseMessage answer = await client.GetAsync(Url("/stream"), HttpCompletionOption.ResponseHeadersRead);
        Stream stream = await answer.Content.ReadAsStreamAsync();
        (await stream.ReadAsync(new byte[9])).ShouldBe(9);

        await _gate.RemoveAsync(_device);

        await Should.ThrowAsync<IOException>(async () => _ = await stream.ReadAsync(new byte[9]).AsTask().WaitAsync(Eventually.Patience));
        await Eventually.HoldsAsync(() => Task.FromResult(_gate.State.Ended == 1 && _gate.Connections.Count == 0), "it is over at the backend too");
    }

    [Fact]
    public async Task Pages_of_allowed_origins_get_tokens_and_no_others()
    {
        await _gate.PairAsync(_device);
        var url = new Uri(_gate.Address, "/.well-known/proxygateway/session");
        using var client = new HttpClient { Timeout = Eventually.Patience };
        foreach ((string origin, HttpStatusCode preflighted, HttpStatusCode asked) in ((string, HttpStatusCode, HttpStatusCode)[])
            [(Page, HttpStatusCode.NoContent, HttpStatusCode.OK), ("https://evil.example", HttpStatusCode.Forbidden, HttpStatusCode.Forbidden)])
        {
            using var preflight = new HttpRequestMessage(HttpMethod.Options, url);
            preflight.Headers.Add("Origin", origin);
            preflight.Headers.Add("Access-Control-Request-Method", "POST");
            using HttpResponseMessage allowed = await client.SendAsync(preflight);
            using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new StringContent(ForDefault) };
            request.Headers.Add("Origin", origin);
            request.Headers.Add("Device-Proof", _device.Prove("POST", url, await _gate.NonceAsync()));
            using HttpResponseMessage answer = await client.SendAsync(request);

            (allowed.StatusCode, answer.StatusCode).ShouldBe((preflighted, asked));
            answer.Headers.Contains("Access-Control-Allow-Origin").ShouldBe(asked == HttpStatusCode.OK);
            if (asked == HttpStatusCode.OK)
                allowed.Headers.GetValues("Access-Control-Allow-Headers").Single().ShouldBe("Device-Proof, Device-Session");
        }
    }

    // Else clients that never send their body would hold all the places.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_asks_for_a_token_and_does_not_say_for_what_gives_way_or_is_cut_off_in_time(bool others)
    {
        await _gate.DisposeAsync();
        _gate = await StartAsync(options => options with { Limits = options.Limits with { HandshakesPerAddress = 1 } });
        await _gate.PairAsync(_device);
        using TcpClient socket = await SendAsync(
            $"POST /.well-known/proxygateway/session HTTP/1.1\nHost: {_gate.Address.Authority}\nDevice-Proof: x\nContent-Length: 22\n\n{{");
        Task<int> answered = socket.GetStream().ReadAsync(new byte[1], _patience.Token).AsTask();

        await Eventually.HoldsAsync(
            async () =>
            {
                if (others)
                    await _gate.TokenAsync(_device);
                else
                    _time.Advance(TimeSpan.FromSeconds(11));
                return answered.IsCompleted;
            },
            "its connection is closed");

        (answered.IsFaulted || await answered == 0).ShouldBeTrue("it gets no answer");
    }

    [Fact]
    public async Task An_audience_gives_the_role_that_all_its_routes_have()
    {
        await _gate.PairAsync(_device, "/mail/box");
        string token = await _gate.TokenAsync(_device, ForMail);
        await ShouldBeAsync(HttpStatusCode.OK, token, "/mail/box");
        _gate.Heard.Last()["X-Device-Role"].ToString().ShouldBe("reader");
        using HttpResponseMessage named = await _gate.AskForTokenAsync(_device, ForMail, new ProofOptions { Role = "client" });
        await ProofSetting.ProblemOf(named, HttpStatusCode.Forbidden, "pairing_required");
    }

    private Task<ProofSetting> StartAsync(Func<DeviceAuthOptions, DeviceAuthOptions>? configure = null, InMemoryDeviceStore? store = null) => ProofSetting.StartAsync(
        options => (configure?.Invoke(options) ?? options) with { AllowedOrigins = [Page] },
        Allowed,
        time: _time,
        store: store,
        others:
        [
            Route("mail", ("DeviceAuth", "Proof"), ("DeviceAuth.Audience", "mail"), ("DeviceAuth.Role", "reader"), ("DeviceAuth.SessionTokens", "Allow")),
            Route("strict", ("DeviceAuth", "Proof")),
            Route("strict2", ("DeviceAuth", "Proof"), ("DeviceAuth.Audience", "strict"), ("DeviceAuth.SessionTokens", "Deny")),
            Route("open", ("DeviceAuth", "Off")),
            Route("frames", ("DeviceAuth", "ConnectFrame")),
            Route("undecided", ("DeviceAuth.Audience", "undecided")), // ConnectFrame, by default
        ]);

    private static RouteConfig Route(string name, params (string Key, string Value)[] metadata) => new()
    {
        RouteId = name,
        ClusterId = "http1",
        Match = new RouteMatch { Path = $"/{name}/{{**rest}}" },
        Metadata = metadata.ToDictionary(m => m.Key, m => m.Value),
    };

    private async Task ShouldBeAsync(HttpStatusCode status, string token, string path = "/work")
    {
        using HttpResponseMessage answer = await _gate.SendTokenAsync(token, path);
        answer.StatusCode.ShouldBe(status, await answer.Content.ReadAsStringAsync());
    }

    private async Task<HttpResponseMessage> ShouldBeInvalidAsync(string reason, string token, string path = "/work")
    {
        HttpResponseMessage answer = await _gate.SendTokenAsync(token, path);
        ((string?)(await ProofSetting.ProblemOf(answer, HttpStatusCode.Unauthorized, "invalid_session_token"))["reason"]).ShouldBe(reason);
        return answer;
    }

    private Uri Url(string path) => new(_gate.Address, path);

    private async Task<string> ProveAsync(string path) => _device.Prove("GET", Url(path), await _gate.NonceAsync());

    private async Task<ClientWebSocket> ConnectAsync(int version, string token)
    {
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.HttpVersion = new Version(version, version == 1 ? 1 : 0);
        socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        socket.Options.SetRequestHeader("Device-Session", token);
        using var invoker = new HttpMessageInvoker(new SocketsHttpHandler(), disposeHandler: false);
        var address = new UriBuilder(new Uri(version == 1 ? _gate.Address : _gate.Http2Address, "/socket")) { Scheme = "ws" };
        await socket.ConnectAsync(address.Uri, invoker, _patience.Token).ContinueWith(static _ => { }, TaskScheduler.Default);
        return socket;
    }

    private async Task<TcpClient> SendAsync(string request)
    {
        var socket = new TcpClient();
        await socket.ConnectAsync(_gate.Address.Host, _gate.Address.Port);
        await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request.Replace("\n", "\r\n", StringComparison.Ordinal)));
        return socket;
    }

    private async Task<string> RawAsync(string request, string token)
    {
        using TcpClient socket = await SendAsync(request
            .Replace("{token}", token, StringComparison.Ordinal)
            .Replace("{upgrade}", "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", StringComparison.Ordinal));
        using var reader = new StreamReader(socket.GetStream(), Encoding.ASCII);
        return await reader.ReadLineAsync().WaitAsync(Eventually.Patience) ?? "";
    }
}
