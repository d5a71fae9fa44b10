using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.Tests.Handshakes.InMemory;
using ProxyGateway.Tests.Shared;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;
using Endpoint = ProxyGateway.Tests.Handshakes.InMemory.Endpoint;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>The endpoint that gives session tokens, without a server: what each request for one is answered.</summary>
public sealed class SessionEndpointTests : IDisposable
{
    private const string Target = "/.well-known/proxygateway/session";
    private const string Url = "https://gate.example" + Target;
    private const string ForWork = """{"route":"work"}""";

    private static readonly RouteConfig[] Routes =
    [
        Route("work", "Proof", "Allow", scopes: "a b"),
        Route("default", handshake: null, "Allow"),
        Route("without", "Proof", sessionTokens: null),
        Route("frames", "ConnectFrame", "Allow"),
        Route("bare", handshake: null, sessionTokens: null) with { Metadata = null },
        Route("mail-1", "Proof", "Allow", audience: "mail", role: "reader", scopes: "a"),
        Route("mail-2", "Proof", "Allow", audience: "mail", role: "writer"),
        Route("notes-1", "Proof", "Allow", audience: "notes", role: "reader", scopes: "a"),
        Route("notes-2", "Proof", "Allow", audience: "notes", role: "reader"),
        Route("notes-3", "Proof", sessionTokens: null, audience: "notes", role: "other"),
    ];

    private readonly List<IDisposable> _disposables = [];
    private readonly ProofSigner _device = ProofSigner.WithEd25519();

    public void Dispose()
    {
        _disposables.ForEach(d => d.Dispose());
        _device.Dispose();
    }

    // What is asked for, and what the token then says: audience, role and scopes.
    [Theory]
    [InlineData(ForWork, "default client [a b]")]
    [InlineData("""{"route":"mail-1"}""", "mail reader [a]")]
    [InlineData("""{"audience":"mail"}""", "mail client []")] // its routes have two roles
    [InlineData("""{"audience":"notes"}""", "notes reader []")]
    [InlineData("""{"audience":"default"}""", "default client []")]
    public async Task A_token_is_for_the_route_or_the_audience(string body, string expected)
    {
        MemoryGate gate = Gate();

        MemoryRequest request = await SendAsync(gate, body, await ProveAsync(gate));

        request.Http.Response.StatusCode.ShouldBe(200);
        request.Http.Response.ContentType.ShouldBe("application/json");
        ((string?)request.Http.Response.Headers.CacheControl).ShouldBe("no-store");
        JsonObject answer = JsonNode.Parse(request.Text)!.AsObject();
        string token = (string)answer["token"]!;
        answer.ToJsonString().ShouldBe($$"""{"token":"{{token}}","expiresAt":"2026-12-01T00:05:00Z"}""");
        var audience = Audience.Parse(expected.Split(' ')[0]);
        (SessionToken? opened, SessionTokenFault? fault) = await gate.Get<SessionTokens>().OpenAsync(token, audience, default);
        fault.ShouldBeNull();
        DeviceClaim claim = opened.ShouldNotBeNull().Claim;
        $"{claim.Audience} {claim.Role} [{claim.Scopes}]".ShouldBe(expected);
        claim.Device.ShouldBe(_device.Id);
        gate.Audited.ShouldBe(["device-auto-approved not-paired", "device-admitted"], "it is no session");
        gate.Get<SessionTable>().Count.ShouldBe(0);
    }

    [Theory]
    [InlineData("""{"route":"without"}""")]
    [InlineData("""{"route":"frames"}""")]
    [InlineData("""{"route":"bare"}""")]
    [InlineData("""{"route":"unknown"}""")]
    [InlineData("""{"audience":"unknown"}""")]
    public async Task Where_no_token_is_taken_none_is_given(string body)
    {
        MemoryGate gate = Gate();

        MemoryRequest request = await SendAsync(gate, body, await ProveAsync(gate));

        request.Answer.ShouldBe("403 session_tokens_not_allowed; retryable: false");
        request.Words.ShouldContain("DeviceAuth.SessionTokens");
        gate.Audited.ShouldBe(["device-refused session tokens not allowed"]);
        gate.Logged.ShouldBe([1101]);
    }

    [Theory]
    [InlineData(ForWork)]
    [InlineData("""{"audience":"default"}""")]
    public async Task Without_a_proxy_there_is_no_token(string body)
    {
        MemoryGate gate = Gate(routes: null);

        (await SendAsync(gate, body, await ProveAsync(gate))).Answer.ShouldBe("403 session_tokens_not_allowed; retryable: false");
    }

    [Theory]
    [InlineData("Proof", "200")]
    [InlineData("ConnectFrame", "403")]
    public async Task A_route_without_a_handshake_of_its_own_has_the_configured_one(string handshake, string status)
    {
        MemoryGate gate = Gate(options => options with { Handshake = handshake });

        MemoryRequest request = await SendAsync(gate, """{"route":"default"}""", await ProveAsync(gate));

        $"{request.Http.Response.StatusCode}".ShouldBe(status);
    }

    // ---- what is asked

    [Fact]
    public async Task Without_a_proof_there_is_a_nonce_and_the_body_is_not_read()
    {
        MemoryGate gate = Gate();

        MemoryRequest request = await SendAsync(gate, new Unreadable(), proof: null);

        request.Answer.ShouldBe("403 device_proof_required");
        request.Words.ShouldContain("header Device-Proof");
        ((string?)request.Http.Response.Headers["Device-Nonce"]).ShouldBe(await NonceAsync(gate));
        gate.Audited.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("too long")]
    [InlineData("malformed chunks")]
    public async Task What_is_asked_for_is_said_as_it_must_be(string body)
    {
        MemoryGate gate = Gate();
        Stream stream = body switch
        {
            "too long" => Body(ForWork.PadRight(SessionRequest.MaxSize + 1)),
            "malformed chunks" => new Unreadable(),
            _ => Body(body),
        };

        MemoryRequest request = await SendAsync(gate, stream, await ProveAsync(gate));

        request.Answer.ShouldBe("400 invalid_request; retryable: false");
        request.Words.ShouldContain("""{"route":"<name>"} or {"audience":"<name>"}, in at most 1024 bytes""");
        gate.Audited.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1024)]
    public async Task A_body_may_come_in_pieces_and_have_1024_bytes(int size)
    {
        MemoryGate gate = Gate();

        MemoryRequest request = await SendAsync(gate, new Pieces(Body(ForWork.PadRight(SessionRequest.MaxSize)), size), await ProveAsync(gate));

        request.Http.Response.StatusCode.ShouldBe(200);
    }

    // A client that sends no body would hold its place for ever.
    [Fact]
    public async Task A_body_must_come_within_the_time_of_a_handshake()
    {
        MemoryGate gate = Gate(options => options with { HandshakeTimeout = TimeSpan.FromSeconds(3) });
        var body = new Silent();
        Task<MemoryRequest> sending = SendAsync(gate, body, await ProveAsync(gate));
        await body.IsAwaited.WaitAsync(Endpoint.Patience);

        await gate.AdvanceAsync(TimeSpan.FromSeconds(2.9));
        sending.IsCompleted.ShouldBeFalse();
        await gate.AdvanceAsync(TimeSpan.FromSeconds(0.1));

        (await sending).IsAborted.ShouldBeTrue();
        gate.Audited.ShouldBeEmpty();
    }

    // Clients that send nothing must not keep others out: the oldest of them gives way. With a body it is no such client any more.
    [Fact]
    public async Task A_client_that_sends_no_body_gives_way()
    {
        MemoryGate gate = Gate(options => options with { Limits = options.Limits with { Handshakes = 1 } });
        var body = new Silent();
        Task<MemoryRequest> silent = SendAsync(gate, body, await ProveAsync(gate));
        await body.IsAwaited.WaitAsync(Endpoint.Patience);

        MemoryRequest other = await SendAsync(gate, ForWork, await ProveAsync(gate));

        (await silent).IsAborted.ShouldBeTrue();
        other.Http.Response.StatusCode.ShouldBe(200);
    }

    [Fact]
    public async Task A_client_whose_decision_takes_long_does_not_give_way()
    {
        var answer = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        MemoryGate gate = Gate(new SomeRoutes(), options => options with { Limits = options.Limits with { Handshakes = 1 } }, new Slow(answer.Task));
        Task<MemoryRequest> first = SendAsync(gate, ForWork, await ProveAsync(gate));
        await gate.Get<IEnumerable<IAdmissionFilter>>().OfType<Slow>().Single().IsAsked.WaitAsync(Endpoint.Patience);

        (await SendAsync(gate, ForWork, await ProveAsync(gate))).Http.Response.StatusCode.ShouldBe(503);

        answer.SetResult(null);
        (await first).Http.Response.StatusCode.ShouldBe(200);
    }

    [Fact]
    public async Task Of_many_tokens_the_audit_has_ten_a_minute()
    {
        MemoryGate gate = Gate();
        for (int i = 0; i < 12; i++)
            (await SendAsync(gate, ForWork, await ProveAsync(gate))).Http.Response.StatusCode.ShouldBe(200);

        gate.Audited.Count(entry => entry == "device-admitted").ShouldBe(11, "the first one is of an automatic approval, which is always entered");
    }

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_of_its_body_frees_its_place()
    {
        MemoryGate gate = Gate();
        var body = new Silent();
        MemoryRequest request = Request(body, await ProveAsync(gate));
        Task sending = SendAsync(gate, request);
        await body.IsAwaited.WaitAsync(Endpoint.Patience);

        await Task.Run(request.Abort);

        await sending.WaitAsync(Endpoint.Patience);
    }

    // ---- what is counted

    // Only names of the configuration: a stranger could ask for a million others.
    [Theory]
    [InlineData(ForWork, "route=work handshake=SessionToken audience=default outcome=admitted")]
    [InlineData("""{"route":"WoRK"}""", "route=work handshake=SessionToken audience=default outcome=admitted")]
    [InlineData("""{"audience":"notes"}""", "route=none handshake=SessionToken audience=notes outcome=admitted")]
    [InlineData("""{"route":"mine"}""", "route=none handshake=SessionToken audience=none outcome=session-token-invalid")]
    [InlineData("""{"route":"without"}""", "route=none handshake=SessionToken audience=none outcome=session-token-invalid")]
    [InlineData("""{"audience":"mine"}""", "route=none handshake=SessionToken audience=none outcome=session-token-invalid")]
    [InlineData("{}", "route=none handshake=SessionToken audience=none outcome=handshake-invalid")]
    public async Task A_request_counts_for_the_route_and_the_audience_that_there_are(string body, string series)
    {
        MemoryGate gate = Gate();
        using var measured = new Measured(gate.Get<IMeterFactory>());

        await SendAsync(gate, body, await ProveAsync(gate));

        Completed(measured).ShouldBe([series]);
        measured.Series.ShouldAllBe(s => !s.Contains("mine", StringComparison.Ordinal));
        measured.Of($"proxygateway.handshake.duration handshake=SessionToken {series[series.IndexOf("outcome", StringComparison.Ordinal)..]}").ShouldBe(1);
    }

    [Theory]
    [InlineData("no proof", "proof-required")]
    [InlineData("without a nonce", "nonce-required")]
    [InlineData("for another method", "proof-invalid")]
    [InlineData("not paired", "pairing-required")]
    [InlineData("registry away", "registry-unavailable")]
    [InlineData("too many", "over-address")]
    public async Task A_request_that_gets_no_token_counts_once_with_the_reason(string why, string outcome)
    {
        MemoryGate gate = Gate(options => options with { Limits = options.Limits with { HandshakesPerAddress = why == "too many" ? 1 : 10 } });
        string? proof = why switch
        {
            "no proof" => null,
            "without a nonce" => _device.Prove("POST", new Uri(Url), nonce: null),
            "for another method" => _device.Prove("PUT", new Uri(Url), await NonceAsync(gate)),
            _ => await ProveAsync(gate),
        };
        ((InMemoryDeviceStore)gate.Get<IDeviceStore>()).IsAvailable = why != "registry away";
        if (why == "too many")
        {
            Client client = Client.Of(Some.Loopback, new DefaultHttpContext().Request, gate.Options);
            gate.Get<HandshakeBudgets>().TryTake(client, default, "session tokens", gate.Options.Limits, out HandshakePlace place).ShouldBe(BudgetScope.None);
            place.Speak(); // it does not give way
            _disposables.Insert(0, place);
        }

        using var measured = new Measured(gate.Get<IMeterFactory>());

        await SendAsync(gate, Body(ForWork), proof, why == "not paired" ? Some.Origin : null);

        Completed(measured).ShouldHaveSingleItem().ShouldEndWith($" outcome={outcome}");
    }

    [Theory]
    [InlineData(true, "client-left")]
    [InlineData(false, "timed-out")]
    public async Task A_body_that_never_comes_counts_as_what_has_ended_it(bool leaves, string outcome)
    {
        MemoryGate gate = Gate();
        using var measured = new Measured(gate.Get<IMeterFactory>());
        var body = new Silent();
        MemoryRequest request = Request(body, await ProveAsync(gate));
        Task sending = SendAsync(gate, request);
        await body.IsAwaited.WaitAsync(Endpoint.Patience);

        await (leaves ? Task.Run(request.Abort) : gate.AdvanceAsync(gate.Options.HandshakeTimeout));
        await sending.WaitAsync(Endpoint.Patience);

        Completed(measured).ShouldHaveSingleItem().ShouldEndWith($" outcome={outcome}");
    }

    // ---- proofs that do not hold

    // How the proof is spoiled; the answer; what the audit has.
    [Theory]
    [InlineData("for another path", "401 invalid_dpop_proof; WWW-Authenticate: Device-Proof error=\"invalid_dpop_proof\"; claim: htu; expectedHtu: " + Url, "device-refused invalid handshake: the proof's htu")]
    [InlineData("for another method", "401 invalid_dpop_proof; WWW-Authenticate: Device-Proof error=\"invalid_dpop_proof\"; claim: htm", "device-refused invalid handshake: the proof's htm")]
    [InlineData("for a token", "401 invalid_dpop_proof; WWW-Authenticate: Device-Proof error=\"invalid_dpop_proof\"; claim: ath", "device-refused invalid handshake: the proof's ath")]
    [InlineData("two", "401 invalid_dpop_proof; WWW-Authenticate: Device-Proof error=\"invalid_dpop_proof\"; claim: jwt", "device-refused invalid handshake: the proof's jwt")]
    [InlineData("without a nonce", "401 use_dpop_nonce; WWW-Authenticate: Device-Proof error=\"use_dpop_nonce\"; claim: nonce", null)]
    [InlineData("too old", "401 use_dpop_nonce; WWW-Authenticate: Device-Proof error=\"use_dpop_nonce\"; claim: nonce", null)]
    public async Task A_proof_that_does_not_hold_gets_no_token(string how, string answer, string? entry)
    {
        MemoryGate gate = Gate(options => options with { Limits = options.Limits with { FailuresPerAddress = 1 } });
        string proof = how switch
        {
            "for another path" => _device.Prove("POST", new Uri(Url + "s"), await NonceAsync(gate)),
            "for another method" => _device.Prove("PUT", new Uri(Url), await NonceAsync(gate)),
            "for a token" => _device.Prove("POST", new Uri(Url), await NonceAsync(gate), new ProofOptions { Token = "token" }),
            "without a nonce" => _device.Prove("POST", new Uri(Url), nonce: null),
            _ => await ProveAsync(gate),
        };
        if (how == "too old")
            await gate.AdvanceAsync(TimeSpan.FromSeconds(121));
        MemoryRequest request = Request(Body(ForWork), proof);
        if (how == "two")
            request.Http.Request.Headers["Device-Proof"] = new[] { proof, proof };

        await SendAsync(gate, request);

        request.Answer.ShouldStartWith(answer);
        ((string?)request.Http.Response.Headers["Device-Nonce"]).ShouldBe(await NonceAsync(gate));
        gate.Audited.ShouldBe(entry is null ? [] : [entry]);
    }

    [Fact]
    public async Task The_answers_to_a_client_that_fails_again_are_held_back()
    {
        MemoryGate gate = Gate(options => options with { Limits = options.Limits with { FailuresPerAddress = 1 } });
        string proof = _device.Prove("PUT", new Uri(Url), await NonceAsync(gate));
        await SendAsync(gate, ForWork, proof);

        Task<MemoryRequest> second = SendAsync(gate, ForWork, proof);

        await IsHeldBackAsync(gate, second, entries: 2);
        (await second).Answer.ShouldStartWith("401 ");
    }

    [Fact]
    public async Task A_proof_counts_once()
    {
        MemoryGate gate = Gate();
        string proof = await ProveAsync(gate);

        (await SendAsync(gate, ForWork, proof)).Http.Response.StatusCode.ShouldBe(200);
        (await SendAsync(gate, ForWork, proof)).Answer.ShouldStartWith("401 proof_already_used");
    }

    // ---- decisions

    [Fact]
    public async Task A_device_that_is_not_paired_gets_no_token()
    {
        MemoryGate gate = Gate();

        MemoryRequest request = await SendAsync(gate, ForWork, await ProveAsync(gate), Some.Origin);

        request.Answer.ShouldStartWith($"403 pairing_required; Retry-After: 5; deviceId: {_device.Id}; requestId: ");
        ((string?)request.Http.Response.Headers["Device-Nonce"]).ShouldBe(await NonceAsync(gate));
    }

    // A guess at the shared token counts as a failure, here as everywhere.
    [Fact]
    public async Task A_device_that_may_not_ask_is_held_back_if_it_asks_again()
    {
        MemoryGate gate = Gate(options => options with
        {
            SharedTokenSha256 = [.. SHA256.HashData("right"u8)],
            Limits = options.Limits with { FailuresPerAddress = 1 },
        });
        (await SendAsync(gate, ForWork, await ProveAsync(gate), Some.Origin)).Answer.ShouldStartWith("403 unauthorized;");

        Task<MemoryRequest> second = SendAsync(gate, ForWork, await ProveAsync(gate), Some.Origin);

        await IsHeldBackAsync(gate, second, entries: 2);
        (await second).Answer.ShouldStartWith("403 unauthorized;");
    }

    // The age of the proof's nonce in seconds, of 120; and whether the client gets another one.
    [Theory]
    [InlineData(0, false)]
    [InlineData(60, false)]
    [InlineData(61, true)]
    public async Task A_nonce_past_half_its_life_is_replaced(int age, bool isReplaced)
    {
        MemoryGate gate = Gate();
        string proof = await ProveAsync(gate);
        await gate.AdvanceAsync(TimeSpan.FromSeconds(age));

        MemoryRequest request = await SendAsync(gate, ForWork, proof);

        request.Http.Response.StatusCode.ShouldBe(200);
        ((string?)request.Http.Response.Headers["Device-Nonce"]).ShouldBe(isReplaced ? await NonceAsync(gate) : null);
    }

    [Fact]
    public async Task Without_the_registry_there_is_no_token()
    {
        MemoryGate gate = Gate();
        string proof = await ProveAsync(gate);
        ((InMemoryDeviceStore)gate.Get<IDeviceStore>()).IsAvailable = false;

        (await SendAsync(gate, ForWork, proof)).Answer.ShouldBe("503 registry_unavailable; Retry-After: 1; retryable: true");
    }

    [Fact]
    public async Task A_nonce_that_nobody_can_look_up_is_not_judged()
    {
        MemoryGate gate = Gate();
        ((InMemoryDeviceStore)gate.Get<IDeviceStore>()).IsAvailable = false;

        (await SendAsync(gate, ForWork, _device.Prove("POST", new Uri(Url), "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"))).Answer.ShouldBe("503 registry_unavailable; Retry-After: 1; retryable: true");
    }

    // No gate has read a key of nonces before this request.
    [Fact]
    public async Task The_first_request_of_all_gets_a_nonce()
    {
        MemoryRequest request = await SendAsync(Gate(), ForWork, proof: null);

        request.Http.Response.Headers.ContainsKey("Device-Nonce").ShouldBeTrue();
    }

    // ---- budgets

    [Fact]
    public async Task Requests_under_way_are_bounded_for_each_address()
    {
        MemoryGate gate = Gate(options => options with { Limits = options.Limits with { HandshakesPerAddress = 1 } });
        gate.Get<HandshakeBudgets>().TryTake(Client.Of(Some.Origin, Request(Body(""), null).Http.Request, gate.Options), default, "backend", gate.Options.Limits, out HandshakePlace place)
            .ShouldBe(BudgetScope.None);
        place.Speak();

        using (place)
            (await SendAsync(gate, ForWork, await ProveAsync(gate), Some.Origin)).Http.Response.StatusCode.ShouldBe(429);

        (await SendAsync(gate, ForWork, await ProveAsync(gate), Some.Origin)).Http.Response.StatusCode.ShouldBe(403, "its place is free again");
        (await SendAsync(gate, ForWork, await ProveAsync(gate), Some.Origin)).Http.Response.StatusCode.ShouldBe(403, "its place is free again");
    }

    private static RouteConfig Route(string id, string? handshake, string? sessionTokens, string? audience = null, string? role = null, string? scopes = null)
    {
        var metadata = new Dictionary<string, string>();
        foreach ((string name, string? value) in ((string, string?)[])
            [("DeviceAuth", handshake), ("DeviceAuth.SessionTokens", sessionTokens), ("DeviceAuth.Audience", audience), ("DeviceAuth.Role", role), ("DeviceAuth.Scopes", scopes)])
        {
            if (value is not null)
                metadata[name] = value;
        }

        return new RouteConfig { RouteId = id, Match = new RouteMatch(), Metadata = metadata };
    }

    private static MemoryStream Body(string text) => new(Encoding.UTF8.GetBytes(text));

    private static async Task IsHeldBackAsync(MemoryGate gate, Task<MemoryRequest> sending, int entries)
    {
        await Eventually.HoldsAsync(() => Task.FromResult(gate.Audited.Count == entries), "it is refused");
        sending.IsCompleted.ShouldBeFalse();
        await Eventually.HoldsAsync(
            async () =>
            {
                await gate.AdvanceAsync(TimeSpan.FromMilliseconds(250)); // more than once: the delay may begin after the entry
                return sending.IsCompleted;
            },
            "it is answered");
    }

    private static async Task<string> NonceAsync(MemoryGate gate)
    {
        ProofVerifier verifier = gate.Get<ProofVerifier>();
        await verifier.RenewAsync(default);
        return verifier.IssueNonce();
    }

    private async Task<string> ProveAsync(MemoryGate gate) => _device.Prove("POST", new Uri(Url), await NonceAsync(gate));

    private MemoryGate Gate(Func<DeviceAuthOptions, DeviceAuthOptions>? configure = null) => Gate(new SomeRoutes(), configure);

    private MemoryGate Gate(IProxyStateLookup? routes, Func<DeviceAuthOptions, DeviceAuthOptions>? configure = null, IAdmissionFilter? filter = null)
    {
        var gate = new MemoryGate(
            options => (configure ?? (o => o))(options with { PublicOrigins = ["https://gate.example"], Handshake = "Proof" }),
            services =>
            {
                if (routes is not null)
                    services.AddSingleton(routes);
                if (filter is not null)
                    services.AddSingleton(filter);
            });
        _disposables.Add(gate);
        return gate;
    }

    private static IEnumerable<string> Completed(Measured measured) =>
        from series in measured.Series
        where series.StartsWith("proxygateway.handshakes.completed ", StringComparison.Ordinal)
        select series["proxygateway.handshakes.completed ".Length..];

    private MemoryRequest Request(Stream body, string? proof)
    {
        var request = new MemoryRequest("POST", Target + "?x=1");
        _disposables.Insert(0, request);
        request.Http.Request.Body = body;
        if (proof is not null)
            request.Http.Request.Headers["Device-Proof"] = proof;
        return request;
    }

    private Task<MemoryRequest> SendAsync(MemoryGate gate, string body, string? proof, ClaimOrigin? origin = null) => SendAsync(gate, Body(body), proof, origin);

    private Task<MemoryRequest> SendAsync(MemoryGate gate, Stream body, string? proof, ClaimOrigin? origin = null) => SendAsync(gate, Request(body, proof), origin);

    private static async Task<MemoryRequest> SendAsync(MemoryGate gate, MemoryRequest request, ClaimOrigin? origin = null)
    {
        IReservedEndpoint endpoint = gate.Get<IEnumerable<IReservedEndpoint>>().Single(e => e is SessionEndpoint);
        (endpoint.Name, endpoint.Method).ShouldBe(("session", "POST"));
        await request.RunAsync(() => endpoint.AnswerAsync(request.Http, origin ?? Some.Loopback));
        return request;
    }

    private sealed class SomeRoutes : IProxyStateLookup
    {
        public bool TryGetRoute(string id, [NotNullWhen(true)] out RouteModel? route)
        {
            route = GetRoutes().FirstOrDefault(r => r.Config.RouteId.Equals(id, StringComparison.OrdinalIgnoreCase)); // as YARP
            return route is not null;
        }

        public IEnumerable<RouteModel> GetRoutes() => Routes.Select(config => new RouteModel(config, cluster: null, HttpTransformer.Default));

        public bool TryGetCluster(string id, [NotNullWhen(true)] out ClusterState? cluster) => throw new NotSupportedException();

        public IEnumerable<ClusterState> GetClusters() => throw new NotSupportedException();
    }

    private sealed class Slow(Task<string?> answer) : IAdmissionFilter
    {
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task IsAsked => _asked.Task;

        public ValueTask<string?> RefuseAsync(AdmissionContext admission, CancellationToken cancellationToken)
        {
            _asked.TrySetResult();
            return new ValueTask<string?>(answer);
        }
    }

    /// <summary>A body of malformed chunks.</summary>
    private sealed class Unreadable : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => throw new IOException("Bad chunk size data.");
    }

    /// <summary>A body that never comes.</summary>
    private sealed class Silent : MemoryStream
    {
        private readonly TaskCompletionSource _read = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Completed once the gate waits for it.</summary>
        public Task IsAwaited => _read.Task;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _read.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            return 0;
        }
    }

    /// <summary>A body in pieces of a size.</summary>
    private sealed class Pieces(MemoryStream whole, int size) : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            whole.ReadAsync(buffer[..Math.Min(size, buffer.Length)], cancellationToken);

        protected override void Dispose(bool disposing)
        {
            whole.Dispose();
            base.Dispose(disposing);
        }
    }
}
