using System.Diagnostics.Metrics;
using System.Net;
using System.Security.Claims;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Handshakes.InMemory;
using ProxyGateway.Tests.Shared;
using Endpoint = ProxyGateway.Tests.Handshakes.InMemory.Endpoint;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>The scheme DeviceProof without a server: whom it authenticates, and how it challenges and forbids.</summary>
public sealed class DeviceProofHandlerTests : IDisposable
{
    private const string Unknown = "AAAAAAAAAAAAAAAAAAAAAAAAAAAA"; // a nonce of a key that nobody has
    private static readonly Uri Url = new("https://gate.example/agent/work");

    private readonly List<IDisposable> _disposables = [];
    private readonly ProofSigner _device = ProofSigner.WithEd25519();

    public void Dispose()
    {
        _disposables.ForEach(d => d.Dispose());
        _device.Dispose();
    }

    // ---- devices that are admitted

    [Fact]
    public async Task An_admitted_device_is_the_user_of_the_request_and_has_a_session_until_it_is_over()
    {
        MemoryGate gate = Gate(configure: options => (options.Audience, options.Role, options.Scopes) = (Audience.Parse("notes"), "reader", ScopeSet.Of("a", "b")));
        MemoryRequest request = await RequestAsync(gate);

        AuthenticateResult found = await request.Http.AuthenticateAsync();

        ClaimsIdentity identity = found.Principal.ShouldNotBeNull().Identities.ShouldHaveSingleItem();
        (identity.AuthenticationType, identity.Name, identity.IsAuthenticated).ShouldBe(("DeviceProof", _device.Id.ToString(), true));
        found.Principal.Claims.Select(c => $"{c.Type}: {c.Value}").ShouldBe([$"device_id: {_device.Id}", "role: reader", "audience: notes", "scope: a", "scope: b"]);
        (found.Ticket?.AuthenticationScheme).ShouldBe("DeviceProof");
        request.Http.Features.Get<IDeviceFeature>()!.Claim.Audience.ShouldBe(Audience.Parse("notes"));
        gate.Audited.ShouldBe(["device-auto-approved not-paired", "device-admitted", "session-opened"]);
        gate.Get<HandshakeBudgets>().InUse.ShouldBe(0);
        await request.StartAsync();
        request.Http.Response.Headers.ContainsKey("Device-Nonce").ShouldBeFalse("the client's is fresh");

        await request.EndAsync();

        gate.Audited.Last().ShouldBe("session-closed");
        gate.Get<SessionTable>().Count.ShouldBe(0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_removal_aborts_the_request_while_it_lasts(bool isOver)
    {
        MemoryGate gate = Gate();
        MemoryRequest request = await RequestAsync(gate);
        await request.Http.AuthenticateAsync();
        if (isOver)
            await request.EndAsync();

        gate.Get<SessionTable>().CloseAll(Closing.DeviceRemoved);

        request.IsAborted.ShouldBe(!isOver, "its context serves another one then");
    }

    // One that a rule admits anew is not known here.
    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    public async Task The_address_of_a_paired_device_is_familiar(int requests, bool isFamiliar)
    {
        MemoryGate gate = Gate();
        for (int i = 0; i < requests; i++)
            (await (await RequestAsync(gate)).Http.AuthenticateAsync()).Succeeded.ShouldBeTrue();

        gate.Get<ClientHistory>().FamiliarityOf(Client.Of(Some.Loopback, new DefaultHttpContext().Request, gate.Options))[0].ShouldBe(isFamiliar);
    }

    [Theory]
    [InlineData(60, false)]
    [InlineData(61, true)]
    public async Task A_nonce_past_half_its_life_is_replaced(int age, bool isReplaced)
    {
        MemoryGate gate = Gate();
        MemoryRequest request = await RequestAsync(gate);
        await gate.AdvanceAsync(TimeSpan.FromSeconds(age));
        (await request.Http.AuthenticateAsync()).Succeeded.ShouldBeTrue();

        await request.StartAsync();

        request.Http.Response.Headers.ContainsKey("Device-Nonce").ShouldBe(isReplaced);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_WebSocket_is_authenticated_and_its_answer_names_a_subprotocol(bool isHttp2)
    {
        MemoryGate gate = Gate();
        string proof = $"device-proof.v1, device-proof.v1.{_device.Prove("GET", Url, await NonceAsync(gate))}, chat";
        MemoryRequest request = Prepare(gate, isHttp2 ? new MemoryRequest().Connecting(proof) : new MemoryRequest().Upgrading(proof));

        (await request.Http.AuthenticateAsync()).Succeeded.ShouldBeTrue();

        ((string?)request.Http.Request.Headers.SecWebSocketProtocol).ShouldBe("chat");
        request.Http.Response.StatusCode = 101;
        await request.StartAsync();
        ((string?)request.Http.Response.Headers["Sec-WebSocket-Protocol"]).ShouldBe("device-proof.v1");
    }

    [Theory]
    [InlineData("DPoP token", true)]
    [InlineData("DPoP other", false)]
    public async Task The_standards_proof_is_for_the_token_beside_it(string authorization, bool holds)
    {
        MemoryGate gate = Gate(configure: options => options.UseStandardHeader = true);
        MemoryRequest request = Prepare(gate, new MemoryRequest());
        request.Http.Request.Headers["DPoP"] = _device.Prove("POST", Url, await NonceAsync(gate), new ProofOptions { Token = "token" });
        request.Http.Request.Headers.Authorization = authorization;

        (await request.Http.AuthenticateAsync()).Succeeded.ShouldBe(holds);
    }

    [Fact]
    public async Task The_gates_own_header_knows_nothing_of_the_backends_token()
    {
        MemoryGate gate = Gate();
        MemoryRequest request = await RequestAsync(gate, options: new ProofOptions { Token = "token" });
        request.Http.Request.Headers.Authorization = "DPoP token";

        (await request.Http.AuthenticateAsync()).Succeeded.ShouldBeFalse();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_many_plain_requests_the_audit_has_ten_a_minute_and_of_WebSockets_all(bool isUpgrade)
    {
        MemoryGate gate = Gate();
        for (int i = 0; i < 12; i++)
        {
            MemoryRequest request = isUpgrade
                ? Prepare(gate, new MemoryRequest().Upgrading($"device-proof.v1, device-proof.v1.{_device.Prove("GET", Url, await NonceAsync(gate))}"))
                : await RequestAsync(gate);
            (await request.Http.AuthenticateAsync()).Succeeded.ShouldBeTrue();
            await request.EndAsync();
        }

        (gate.Audited.Count(entry => entry == "device-admitted") == 12).ShouldBe(isUpgrade);
    }

    // ---- the others

    // What is the case; the answer to the challenge; and what is entered in the audit.
    [Theory]
    [InlineData("no proof", "403 device_proof_required", null)]
    [InlineData("no proof in the standard's header", "401 device_proof_required; WWW-Authenticate: DPoP algs=\"ES256 EdDSA Ed25519\"", null)]
    [InlineData("unknown nonce", "401 use_dpop_nonce; WWW-Authenticate: Device-Proof error=\"use_dpop_nonce\"; claim: nonce; clockOffsetSeconds: N; retryable: true", null)]
    [InlineData("for another URL", "401 invalid_dpop_proof; WWW-Authenticate: Device-Proof error=\"invalid_dpop_proof\"; claim: htu; expectedHtu: https://gate.example/agent/work; clockOffsetSeconds: N; retryable: false", "device-refused invalid handshake: the proof's htu")]
    [InlineData("for another method", "401 invalid_dpop_proof; WWW-Authenticate: Device-Proof error=\"invalid_dpop_proof\"; claim: htm; clockOffsetSeconds: N; retryable: false", "device-refused invalid handshake: the proof's htm")]
    [InlineData("two proofs", "401 invalid_dpop_proof; WWW-Authenticate: Device-Proof error=\"invalid_dpop_proof\"; claim: jwt; retryable: false", "device-refused invalid handshake: the proof's jwt")]
    [InlineData("too few scopes", "403 insufficient_scope; deviceId: ID; retryable: false", "device-refused insufficient scope")]
    [InlineData("not paired", "403 pairing_required; Retry-After: 5; deviceId: ID; requestId: R; reason: not-paired; retryable: true", "device-refused not-paired")]
    [InlineData("may not ask", "403 unauthorized; deviceId: ID; retryable: false", "device-refused unauthorized")]
    [InlineData("draining", "503 restarting; Retry-After: 1; retryable: true", null)]
    [InlineData("connection gone", "503 try_again_later; Retry-After: 1; retryable: true", null)]
    [InlineData("page of another site", "403 origin_refused; retryable: false", null)]
    [InlineData("address has its share", "429 too_many_handshakes; Retry-After: 1; retryable: true", null)]
    [InlineData("application has its share", "503 try_again_later; Retry-After: 1; retryable: true", null)]
    [InlineData("registry away", "503 registry_unavailable; Retry-After: 1; retryable: true", "device-refused registry-unavailable")]
    public async Task A_device_that_is_not_admitted_is_challenged_and_forbidden_with_the_reason(string why, string answer, string? audited)
    {
        foreach (bool isForbidden in (bool[])[false, true])
        {
            MemoryGate gate = Gate(
                options => why switch
                {
                    "may not ask" => options with { SharedTokenSha256 = [.. SHA256.HashData("secret"u8)] },
                    "address has its share" => options with { Limits = options.Limits with { HandshakesPerAddress = 1 } },
                    "application has its share" => options with { Limits = options.Limits with { HandshakesPerDestination = 1 } },
                    _ => options,
                },
                options =>
                {
                    options.UseStandardHeader = why.Contains("standard", StringComparison.Ordinal);
                    options.Scopes = why == "too few scopes" ? ScopeSet.Of("a", "b") : ScopeSet.Empty;
                });
            MemoryRequest request = await SpoiltAsync(gate, why);

            AuthenticateResult found = await request.Http.AuthenticateAsync();
            await request.RunAsync(() => isForbidden ? request.Http.ForbidAsync() : request.Http.ChallengeAsync());

            (found.Succeeded, found.None).ShouldBe((false, why.StartsWith("no proof", StringComparison.Ordinal)));
            (found.Failure is null).ShouldBe(found.None);
            Anonymous(request.Answer).ShouldBe(answer);
            gate.Audited.Where(entry => !entry.StartsWith("request-opened", StringComparison.Ordinal)).ShouldBe(audited is null ? [] : [audited]);
            request.Http.Response.Headers.ContainsKey(why.Contains("standard", StringComparison.Ordinal) ? "DPoP-Nonce" : "Device-Nonce").ShouldBeTrue("no answer to a refusal is without one");
            request.Http.Features.Get<IDeviceFeature>().ShouldBeNull();
            gate.Get<SessionTable>().Count.ShouldBe(0);
        }
    }

    [Theory]
    [InlineData("no proof", "proof-required")]
    [InlineData("unknown nonce", "nonce-required")]
    [InlineData("for another URL", "proof-invalid")]
    [InlineData("two proofs", "proof-invalid")]
    [InlineData("too few scopes", "insufficient-scope")]
    [InlineData("not paired", "pairing-required")]
    [InlineData("may not ask", "unauthorized")]
    [InlineData("draining", "gateway-restarting")]
    [InlineData("connection gone", "client-left")]
    [InlineData("page of another site", "origin-refused")]
    [InlineData("too many in a second", "over-rate")]
    [InlineData("address has its share", "over-address")]
    [InlineData("application has its share", "over-destination")]
    [InlineData("registry away", "registry-unavailable")]
    [InlineData("nothing is wrong", "admitted")]
    public async Task What_becomes_of_a_request_counts_once(string why, string outcome)
    {
        MemoryGate gate = Gate(
            options => why switch
            {
                "may not ask" => options with { SharedTokenSha256 = [.. SHA256.HashData("secret"u8)] },
                "address has its share" => options with { Limits = options.Limits with { HandshakesPerAddress = 1 } },
                "application has its share" => options with { Limits = options.Limits with { HandshakesPerDestination = 1 } },
                "too many in a second" => options with { Limits = options.Limits with { HandshakesPerSecondPerAddress = 1 } },
                _ => options,
            },
            options => options.Scopes = why == "too few scopes" ? ScopeSet.Of("a", "b") : ScopeSet.Empty);
        if (why == "too many in a second")
            (await (await RequestAsync(gate)).Http.AuthenticateAsync()).Succeeded.ShouldBeTrue();
        MemoryRequest request = await SpoiltAsync(gate, why);
        using var measured = new Measured(gate.Get<IMeterFactory>());

        await request.Http.AuthenticateAsync();
        await request.EndAsync();

        measured.Series.Where(s => s.StartsWith("proxygateway.handshakes.completed", StringComparison.Ordinal)).ShouldBe(
            [$"proxygateway.handshakes.completed route=none handshake=DeviceProof audience=default outcome={outcome}"]);
        measured.Of($"proxygateway.handshake.duration handshake=DeviceProof outcome={outcome}").ShouldBe(1);
        measured.Of("proxygateway.session.duration route=none handshake=DeviceProof audience=default end=left").ShouldBe(outcome == "admitted" ? 1 : 0);
    }

    [Fact]
    public async Task A_challenge_that_nobody_has_authenticated_for_has_the_reason_too()
    {
        foreach (bool isForbidden in (bool[])[false, true])
        {
            MemoryRequest request = Prepare(Gate(), new MemoryRequest());

            await request.RunAsync(() => isForbidden ? request.Http.ForbidAsync() : request.Http.ChallengeAsync());

            request.Answer.ShouldBe("403 device_proof_required");
            request.Http.Response.Headers.ContainsKey("Device-Nonce").ShouldBeTrue();
        }
    }

    [Fact]
    public async Task What_the_application_answers_to_anybody_has_a_nonce_too()
    {
        MemoryRequest request = Prepare(Gate(), new MemoryRequest());
        (await request.Http.AuthenticateAsync()).None.ShouldBeTrue();

        await request.StartAsync();

        (request.Answer, request.Http.Response.Headers.ContainsKey("Device-Nonce")).ShouldBe(("200", true));
    }

    [Fact]
    public async Task An_admitted_device_that_the_application_lets_not_do_this_is_told_so()
    {
        foreach (bool isForbidden in (bool[])[false, true])
        {
            MemoryGate gate = Gate();
            MemoryRequest request = await RequestAsync(gate);
            await request.Http.AuthenticateAsync();

            await request.RunAsync(() => isForbidden ? request.Http.ForbidAsync() : request.Http.ChallengeAsync());

            request.Answer.ShouldBe("403 insufficient_scope; retryable: false");
            request.Http.Response.Headers.ContainsKey("Device-Nonce").ShouldBeTrue();
        }
    }

    [Fact]
    public async Task A_browsers_WebSocket_is_closed_with_the_reason()
    {
        MemoryGate gate = Gate();
        MemoryRequest request = Prepare(gate, new MemoryRequest().Upgrading("device-proof.v1, device-proof.v1.x"));

        await request.Http.AuthenticateAsync();
        await request.RunAsync(() => request.Http.ChallengeAsync());

        request.Close.ShouldBe("Close 1008 invalid handshake: the proof's jwt");
    }

    [Fact]
    public async Task A_proof_counts_once()
    {
        MemoryGate gate = Gate();
        string proof = _device.Prove("POST", Url, await NonceAsync(gate));
        (await (await RequestAsync(gate, proof)).Http.AuthenticateAsync()).Succeeded.ShouldBeTrue();
        MemoryRequest again = await RequestAsync(gate, proof);

        await again.Http.AuthenticateAsync();
        await again.RunAsync(() => again.Http.ChallengeAsync());

        again.Answer.ShouldStartWith("401 proof_already_used");
    }

    [Fact]
    public async Task The_rate_of_a_client_is_bounded()
    {
        MemoryGate gate = Gate(options => options with { Limits = options.Limits with { HandshakesPerSecondPerAddress = 1 } });
        (await (await RequestAsync(gate)).Http.AuthenticateAsync()).Succeeded.ShouldBeTrue();
        MemoryRequest second = await RequestAsync(gate);

        await second.Http.AuthenticateAsync();
        await second.RunAsync(() => second.Http.ChallengeAsync());

        second.Answer.ShouldBe("429 too_many_handshakes; Retry-After: 1; retryable: true");
        gate.Audited.Count(entry => entry == "device-admitted").ShouldBe(1);
    }

    [Fact]
    public async Task A_nonce_that_nobody_can_look_up_is_not_judged()
    {
        MemoryGate gate = Gate();
        ((InMemoryDeviceStore)gate.Get<IDeviceStore>()).IsAvailable = false;
        MemoryRequest request = Prepare(gate, new MemoryRequest());
        request.Http.Request.Headers["Device-Proof"] = _device.Prove("POST", Url, Unknown);

        await request.Http.AuthenticateAsync();
        await request.RunAsync(() => request.Http.ChallengeAsync());

        request.Answer.ShouldStartWith("503 registry_unavailable");
        gate.Get<HandshakeBudgets>().InUse.ShouldBe(0);
    }

    // One failure is free, and a stale nonce is none.
    [Theory]
    [InlineData("for another URL", true)]
    [InlineData("may not ask", true)]
    [InlineData("unknown nonce", false)]
    public async Task The_answers_to_a_client_that_fails_again_are_held_back(string why, bool isHeldBack)
    {
        MemoryGate gate = Gate(options => options with
        {
            Limits = options.Limits with { FailuresPerAddress = 1 },
            SharedTokenSha256 = why == "may not ask" ? [.. SHA256.HashData("secret"u8)] : [],
        });
        await (await SpoiltAsync(gate, why)).Http.AuthenticateAsync();
        MemoryRequest second = await SpoiltAsync(gate, why);

        Task<AuthenticateResult> running = Task.Run(() => second.Http.AuthenticateAsync());
        if (isHeldBack)
        {
            await Eventually.HoldsAsync(() => Task.FromResult(gate.Audited.Count == 2), "it is refused");
            running.IsCompleted.ShouldBeFalse();
            await gate.AdvanceAsync(TimeSpan.FromMilliseconds(249));
            running.IsCompleted.ShouldBeFalse();
            await Eventually.HoldsAsync(
                async () =>
                {
                    await gate.AdvanceAsync(TimeSpan.FromMilliseconds(250)); // more than once: the delay may begin after the entry
                    return running.IsCompleted;
                },
                "it is answered");
        }

        (await running.WaitAsync(Endpoint.Patience)).Succeeded.ShouldBeFalse();
    }

    // ---- options

    [Theory]
    [InlineData("client", 64, "s", true)]
    [InlineData("two words", 0, "s", false)]
    [InlineData("client", 65, "s", false)]
    [InlineData("client", 1, "s ", false)]
    [InlineData("client", 2, "s| ", false)] // one of two
    [InlineData("client", -1, "", false)] // null
    public void Options_are_checked(string role, int scopes, string scope, bool areValid)
    {
        var options = new DeviceProofOptions
        {
            Role = role,
            Scopes = scopes < 0 ? null! : ScopeSet.Of(Enumerable.Range(0, scopes).Select(i => $"{scope.Split('|')[i % scope.Split('|').Length]}{i}")),
        };

        if (areValid)
            Should.NotThrow(options.Validate);
        else
            Should.Throw<InvalidOperationException>(options.Validate).Message.ShouldNotBeNullOrWhiteSpace();
    }

    private static async Task<string> NonceAsync(MemoryGate gate)
    {
        await gate.Get<ProofVerifier>().RenewAsync(default);
        return gate.Get<ProofVerifier>().IssueNonce();
    }

    private string Anonymous(string answer) => string.Join("; ", answer.Replace(_device.Id.ToString(), "ID", StringComparison.Ordinal).Split("; ").Select(member =>
        member.StartsWith("requestId", StringComparison.Ordinal) ? "requestId: R" : member.StartsWith("clockOffset", StringComparison.Ordinal) ? "clockOffsetSeconds: N" : member));

    private MemoryGate Gate(Func<DeviceAuthOptions, DeviceAuthOptions>? options = null, Action<DeviceProofOptions>? configure = null)
    {
        var gate = new MemoryGate(
            o => (options ?? (same => same))(o with { PublicOrigins = ["https://gate.example"] }),
            services => services.AddAuthentication(DeviceProofDefaults.AuthenticationScheme).AddDeviceProof(configure));
        _disposables.Add(gate);
        return gate;
    }

    /// <summary>A request from loopback, where a rule approves.</summary>
    private MemoryRequest Prepare(MemoryGate gate, MemoryRequest request, EndPoint? from = null)
    {
        _disposables.Insert(0, request);
        IServiceScope scope = gate.Get<IServiceScopeFactory>().CreateScope();
        _disposables.Insert(0, scope);
        request.Http.RequestServices = scope.ServiceProvider;
        request.Http.Request.Host = new HostString("localhost");
        request.Http.Features.Set<IConnectionEndPointFeature>(new Peer(from ?? new IPEndPoint(IPAddress.Loopback, 1)));
        return request;
    }

    private async Task<MemoryRequest> RequestAsync(MemoryGate gate, string? proof = null, EndPoint? from = null, ProofOptions? options = null)
    {
        MemoryRequest request = Prepare(gate, new MemoryRequest(), from);
        request.Http.Request.Headers["Device-Proof"] = proof ?? _device.Prove("POST", Url, await NonceAsync(gate), options);
        return request;
    }

    /// <summary>A request that is not admitted, and why.</summary>
    private async Task<MemoryRequest> SpoiltAsync(MemoryGate gate, string why)
    {
        var stranger = new IPEndPoint(IPAddress.Parse("192.0.2.1"), 1);
        string nonce = await NonceAsync(gate);
        MemoryRequest request = await RequestAsync(
            gate,
            why switch
            {
                "unknown nonce" => _device.Prove("POST", Url, Unknown),
                "for another URL" => _device.Prove("POST", new Uri("https://evil.example/agent/work"), nonce),
                "for another method" => _device.Prove("GET", Url, nonce),
                "too few scopes" => _device.Prove("POST", Url, nonce, new ProofOptions { Scopes = ScopeSet.Of("a") }),
                _ => null,
            },
            why is "not paired" or "may not ask" ? stranger : null);
        switch (why)
        {
            case "no proof" or "no proof in the standard's header":
                request.Http.Request.Headers.Remove("Device-Proof");
                break;
            case "two proofs":
                request.Http.Request.Headers["Device-Proof"] = new[] { "one", "two" };
                break;
            case "draining":
                gate.Get<IHostApplicationLifetime>().StopApplication();
                break;
            case "connection gone":
                request.Http.Features.Set<IConnectionEndPointFeature>(new Peer(null));
                break;
            case "page of another site":
                request.Http.Request.Headers.Origin = "https://evil.example";
                break;
            case "address has its share" or "application has its share":
                Client client = Client.Of(why == "address has its share" ? Some.Loopback : Some.Origin with { Address = "198.51.100.1" }, new DefaultHttpContext().Request, gate.Options);
                gate.Get<HandshakeBudgets>().TryTake(client, default, "DeviceProof", gate.Options.Limits, out HandshakePlace place).ShouldBe(BudgetScope.None);
                place.Speak(); // it does not give way
                _disposables.Insert(0, place);
                break;
            case "registry away":
                ((InMemoryDeviceStore)gate.Get<IDeviceStore>()).IsAvailable = false;
                break;
        }

        return request;
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
