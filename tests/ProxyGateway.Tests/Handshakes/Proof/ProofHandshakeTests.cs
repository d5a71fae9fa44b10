using System.Security.Claims;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Handshakes.InMemory;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>The handshake Proof without a server: each request is answered, or forwarded.</summary>
public sealed class ProofHandshakeTests : IDisposable
{
    private const string Url = "https://gate.example/agent/work";
    private const string Marker = "device-proof.v1";

    private readonly List<IDisposable> _disposables = [];
    private readonly ProofSigner _device = ProofSigner.WithEd25519();
    private readonly OnAdmission _onAdmission = new();

    public void Dispose()
    {
        _disposables.ForEach(d => d.Dispose());
        _device.Dispose();
    }

    // ---- proofs that do not hold

    // What is spoiled of the header or the payload; which part the answer names; how a browser's WebSocket is closed; and whether the gate has read the client's clock.
    [Theory]
    [InlineData("typ", "\"JWT\"", "typ", "invalid handshake: the proof's typ", false)]
    [InlineData("alg", "\"HS256\"", "alg", "invalid handshake: the proof's alg", false)]
    [InlineData("crit", "[]", "crit", "invalid handshake: the proof's crit", false)]
    [InlineData("jwk", "1", "jwk", "device public key invalid", false)]
    [InlineData("jwk", """{"kty":"EC","crv":"P-521"}""", "jwk", "device public key invalid", false)]
    [InlineData("jti", "\"\"", "jti", "invalid handshake: the proof's jti", false)]
    [InlineData("iat", "\"1\"", "iat", "invalid handshake: the proof's iat", false)]
    [InlineData("nonce", "1", "nonce", "invalid handshake: the proof's nonce", false)]
    [InlineData("ath", "1", "ath", "invalid handshake: the proof's ath", false)]
    [InlineData("role", "\"two words\"", "role", "invalid handshake: the proof's role", false)]
    [InlineData("scope", "\"a  b\"", "scope", "invalid handshake: the proof's scope", false)]
    [InlineData("client", "1", "client", "invalid handshake: the proof's client", false)]
    [InlineData("htm", "\"PUT\"", "htm", "invalid handshake: the proof's htm", true)]
    [InlineData("htu", "\"https://evil.example/agent/work\"", "htu", "invalid handshake: the proof's htu", true)]
    [InlineData("ath", "\"AAAA\"", "ath", "invalid handshake: the proof's ath", true)]
    [InlineData("signature", "", "signature", "device signature invalid", true)]
    [InlineData("whole", "", "jwt", "invalid handshake: the proof's jwt", false)]
    public async Task A_proof_that_does_not_hold_is_answered_by_the_part_that_does_not(string member, string json, string claim, string reason, bool isRead)
    {
        foreach (Presentation how in Enum.GetValues<Presentation>())
        {
            MemoryGate gate = Gate();
            string proof = Prove(gate, how, await NonceAsync(gate), member, json);

            MemoryRequest request = await SendAsync(gate, how, proof);

            string members = $"claim: {claim}{(claim == "htu" ? $"; expectedHtu: {Url}" : "")}{(isRead ? "; clockOffsetSeconds: -40" : "")}; retryable: false";
            ShouldBe(request, how, $"401 invalid_dpop_proof; WWW-Authenticate: {SchemeOf(how)} error=\"invalid_dpop_proof\"; {members}", $"Close 1008 {reason}");
            gate.Audited.ShouldBe([$"device-refused {reason}"]);
            gate.Logged.ShouldBe([1101]);
        }
    }

    // What the proof has for a nonce.
    [Theory]
    [InlineData(null)]
    [InlineData("\"\"")]
    [InlineData("\"AAAAAAAAAAAAAAAAAAAAAAAAAAAA\"")]
    public async Task A_proof_without_a_nonce_of_the_gateways_gets_one_and_is_no_failure(string? nonce)
    {
        foreach (Presentation how in Enum.GetValues<Presentation>())
        {
            MemoryGate gate = Gate(options => options with { Limits = options.Limits with { FailuresPerAddress = 1 } });
            string proof = Prove(gate, how, nonce: null, "nonce", nonce);

            for (int attempt = 0; attempt < 3; attempt++)
            {
                MemoryRequest request = await SendAsync(gate, how, proof);

                string issued = await NonceAsync(gate);
                ShouldBe(
                    request, how, $"401 use_dpop_nonce; WWW-Authenticate: {SchemeOf(how)} error=\"use_dpop_nonce\"; claim: nonce; clockOffsetSeconds: -40; retryable: true",
                    $"Close 1008 device nonce required: {issued}");
                ((string?)request.Http.Response.Headers[how == Presentation.DPoP ? "DPoP-Nonce" : "Device-Nonce"]).ShouldBe(issued);
            }

            gate.Audited.ShouldBeEmpty();
        }
    }

    [Theory]
    [InlineData(Presentation.Header, "403 device_proof_required", "Device-Nonce")]
    [InlineData(Presentation.DPoP, "401 device_proof_required; WWW-Authenticate: DPoP algs=\"ES256 EdDSA Ed25519\"", "DPoP-Nonce")]
    [InlineData(Presentation.Subprotocol, "403 device_proof_required", "Device-Nonce")]
    internal async Task A_request_without_a_proof_gets_a_nonce(Presentation how, string answer, string header)
    {
        MemoryGate gate = Gate();

        MemoryRequest request = await SendAsync(gate, how, proof: null);

        (request.Answer, request.Close).ShouldBe((answer, null));
        ((string?)request.Http.Response.Headers[header]).ShouldBe(await NonceAsync(gate));
        request.Http.Response.Headers.Count(h => h.Key.EndsWith("Nonce", StringComparison.Ordinal)).ShouldBe(1);
        gate.Audited.ShouldBeEmpty();
    }

    [Fact]
    public async Task Two_proofs_are_none()
    {
        MemoryGate gate = Gate();
        string proof = Prove(gate, Presentation.Header, await NonceAsync(gate));
        MemoryRequest request = Request(Presentation.Header, proof: null);
        request.Http.Request.Headers["Device-Proof"] = new[] { proof, proof };

        await SendAsync(gate, request);

        request.Answer.ShouldBe("401 invalid_dpop_proof; WWW-Authenticate: Device-Proof error=\"invalid_dpop_proof\"; claim: jwt; retryable: false");
        gate.Audited.ShouldBe(["device-refused invalid handshake: the proof's jwt"]);
    }

    // Where no public origin is configured, the client is told the gateway's own port.
    [Fact]
    public async Task Without_public_origins_the_expected_URL_is_on_loopback()
    {
        MemoryGate gate = Gate(options => options with { PublicOrigins = [] });
        MemoryRequest request = Request(Presentation.Header, Prove(gate, Presentation.Header, await NonceAsync(gate)));
        request.Http.Connection.LocalPort = 8443;

        await SendAsync(gate, request);

        request.Answer.ShouldContain("claim: htu; expectedHtu: https://localhost:8443/agent/work;");
    }

    [Fact]
    public async Task The_answers_to_a_client_that_fails_again_are_held_back()
    {
        MemoryGate gate = Gate(options => options with { Limits = options.Limits with { FailuresPerAddress = 1 } });
        string proof = Prove(gate, Presentation.Header, await NonceAsync(gate), "htm", "\"PUT\"");
        await SendAsync(gate, Presentation.Header, proof);

        Task<MemoryRequest> second = SendAsync(gate, Presentation.Header, proof);
        await Eventually.HoldsAsync(() => Task.FromResult(gate.Audited.Count == 2), "it is refused");
        second.IsCompleted.ShouldBeFalse();
        await Eventually.HoldsAsync(
            async () =>
            {
                await gate.AdvanceAsync(TimeSpan.FromMilliseconds(250)); // more than once: the delay may begin after the entry
                return second.IsCompleted;
            },
            "it is answered");

        (await second).Answer.ShouldStartWith("401 ");
    }

    // ---- proofs that hold

    // How the proof comes; what the backend gets of the subprotocols, and which is the answer's if it chooses none.
    [Theory]
    [InlineData(Presentation.Header, null, null, null)]
    [InlineData(Presentation.DPoP, null, null, null)]
    [InlineData(Presentation.Subprotocol, null, null, Marker)]
    [InlineData(Presentation.Subprotocol, "chat", "chat", Marker)]
    internal async Task An_admitted_device_is_forwarded_without_its_proof(Presentation how, string? offered, string? forwarded, string? fallback)
    {
        MemoryGate gate = Gate();
        MemoryRequest request = Request(how, Prove(gate, how, await NonceAsync(gate)));
        if (offered is not null)
            request.Http.Request.Headers.SecWebSocketProtocol = $"{request.Http.Request.Headers.SecWebSocketProtocol}, {offered}";
        bool isForwarded = false;

        await SendAsync(gate, request, how == Presentation.DPoP, forward: r =>
        {
            isForwarded = true;
            ((string?)r.Http.Request.Headers.SecWebSocketProtocol).ShouldBe(forwarded);
            r.Http.Features.Get<FallbackSubprotocol>()?.Name.ShouldBe(fallback);
            (r.Http.Features.Get<FallbackSubprotocol>() is null).ShouldBe(fallback is null);
            ClaimsIdentity identity = r.Http.User.Identities.ShouldHaveSingleItem();
            (identity.AuthenticationType, identity.Name).ShouldBe(("DeviceProof", _device.Id.ToString()));
            r.Http.User.IsInRole("client").ShouldBeTrue();
            return Task.CompletedTask;
        });

        isForwarded.ShouldBeTrue();
        request.Close.ShouldBeNull();
        gate.Audited.ShouldBe(["device-auto-approved not-paired", "device-admitted", "session-opened", "session-closed"]);
    }

    // What a proxy does not answer itself: the client would fail a connection whose answer names no subprotocol. The backend's choice stands.
    [Theory]
    [InlineData(Presentation.Subprotocol, 101, null, Marker)]
    [InlineData(Presentation.Subprotocol, 101, "chat", "chat")]
    [InlineData(Presentation.Subprotocol, 502, null, null)]
    [InlineData(Presentation.Header, 101, null, null)]
    internal async Task An_upgrade_that_is_answered_names_a_subprotocol(Presentation how, int status, string? chosen, string? answered)
    {
        MemoryGate gate = Gate();

        MemoryRequest request = await SendAsync(gate, how, Prove(gate, how, await NonceAsync(gate)), forward: r =>
        {
            r.Http.Response.StatusCode = status;
            if (chosen is not null)
                r.Http.Response.Headers["Sec-WebSocket-Protocol"] = chosen;
            return Task.CompletedTask;
        });

        ((string?)request.Http.Response.Headers["Sec-WebSocket-Protocol"]).ShouldBe(answered);
    }

    // The age of the nonce in seconds, of 120; and whether the device is admitted, and gets another one. A nonce of the backend's never passes: it is none of the gateway's.
    [Theory]
    [InlineData(0, true, false)]
    [InlineData(60, true, false)]
    [InlineData(61, true, true)]
    [InlineData(120, true, true)]
    [InlineData(121, false, true)]
    public async Task A_nonce_past_half_its_life_is_replaced(int age, bool isAdmitted, bool isReplaced)
    {
        MemoryGate gate = Gate();
        string nonce = await NonceAsync(gate);
        string proof = Prove(gate, Presentation.Header, nonce);
        await gate.AdvanceAsync(TimeSpan.FromSeconds(age));

        MemoryRequest request = await SendAsync(gate, Presentation.Header, proof, forward: r =>
        {
            r.Http.Response.Headers["Device-Nonce"] = "the backend's";
            return Task.CompletedTask;
        });

        gate.Audited.Contains("device-admitted").ShouldBe(isAdmitted);
        ((string?)request.Http.Response.Headers["Device-Nonce"]).ShouldBe(isReplaced ? await NonceAsync(gate) : null);
    }

    [Fact]
    public async Task A_proof_counts_once()
    {
        MemoryGate gate = Gate();
        string proof = Prove(gate, Presentation.Header, await NonceAsync(gate));

        (await SendAsync(gate, Presentation.Header, proof)).Answer.ShouldBe("200");
        (await SendAsync(gate, Presentation.Header, proof)).Answer.ShouldStartWith("401 proof_already_used; WWW-Authenticate: Device-Proof error=\"invalid_dpop_proof\"");
    }

    [Fact]
    public async Task A_device_that_is_not_paired_is_answered_and_not_forwarded()
    {
        foreach (Presentation how in Enum.GetValues<Presentation>())
        {
            MemoryGate gate = Gate();
            string proof = Prove(gate, how, await NonceAsync(gate));

            MemoryRequest request = await SendAsync(gate, how, proof, Some.Origin, _ => throw new NotSupportedException());

            if (how == Presentation.Subprotocol)
                request.Close.ShouldNotBeNull().ShouldStartWith("Close 1008 pairing required: device is not approved yet (requestId: ");
            else
                request.Answer.ShouldStartWith($"403 pairing_required; Retry-After: 5; deviceId: {_device.Id}; requestId: ");
            ((string?)request.Http.Response.Headers[how == Presentation.DPoP ? "DPoP-Nonce" : "Device-Nonce"]).ShouldBe(await NonceAsync(gate));
        }
    }

    // The route's scopes, those of the proof, and what becomes of the request.
    [Theory]
    [InlineData("a b", null, "forwarded")]
    [InlineData("a b", "a b c", "forwarded")]
    [InlineData("a b", "a", "403 insufficient_scope; deviceId: ID; retryable: false")]
    [InlineData(null, "a", "forwarded")]
    [InlineData(null, null, "forwarded")]
    public async Task A_proof_covers_the_scopes_of_its_route(string? needed, string? asked, string answer)
    {
        MemoryGate gate = Gate();
        MemoryRequest request = Request(Presentation.Header, Prove(gate, Presentation.Header, await NonceAsync(gate), "scope", asked is null ? null : $"\"{asked}\""));
        string scopes = "";

        await SendAsync(gate, request, needed: needed, forward: r =>
        {
            scopes = string.Join(' ', r.Http.Features.Get<IDeviceFeature>()!.Claim.Scopes);
            return r.Http.Response.WriteAsync("""{"code":"forwarded"}""");
        });

        if (answer == "forwarded")
        {
            scopes.ShouldBe(asked ?? needed ?? "");
            request.Text.ShouldContain("forwarded");
        }
        else
        {
            request.Answer.Replace(_device.Id.ToString(), "ID", StringComparison.Ordinal).ShouldBe(answer);
            gate.Audited.ShouldBe(["device-refused insufficient scope"]);
            gate.Logged.ShouldBe([1101]);
        }
    }

    // RFC 9449 §4.3: the token that comes with the proof, what the proof says of it, and whether it holds. SHA-256 of "token" is PEae….
    [Theory]
    [InlineData("DPoP token", "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A", true)]
    [InlineData("dpop   token ", "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A", true)]
    [InlineData("DPoP token", null, true)]
    [InlineData("DPoP other", "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A", false)]
    [InlineData("Bearer token", "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A", false)]
    [InlineData("DPoPtoken", "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A", false)]
    [InlineData("DPoP token|DPoP token", "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A", false)]
    [InlineData(null, "PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A", false)]
    public async Task The_standards_proof_is_for_the_token_beside_it(string? authorization, string? hash, bool holds)
    {
        MemoryGate gate = Gate();
        MemoryRequest request = Request(Presentation.DPoP, Prove(gate, Presentation.DPoP, await NonceAsync(gate), "ath", hash is null ? null : $"\"{hash}\""));
        if (authorization is not null)
            request.Http.Request.Headers.Authorization = authorization.Split('|');

        await SendAsync(gate, request, isDPoP: true);

        gate.Audited.Contains("device-admitted").ShouldBe(holds);
    }

    [Fact]
    public async Task The_gates_own_header_knows_nothing_of_the_backends_token()
    {
        MemoryGate gate = Gate();
        MemoryRequest request = Request(Presentation.Header, Prove(gate, Presentation.Header, await NonceAsync(gate), "ath", "\"PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A\""));
        request.Http.Request.Headers.Authorization = "DPoP token";

        (await SendAsync(gate, request)).Answer.ShouldContain("claim: ath");
    }

    [Fact]
    public async Task Over_HTTP2_a_WebSockets_proof_is_for_GET_and_its_refusal_a_close_frame()
    {
        foreach (bool isPaired in (bool[])[true, false])
        {
            MemoryGate gate = Gate();
            using MemoryRequest request = new MemoryRequest().Connecting($"{Marker}, {Marker}.{Prove(gate, Presentation.Subprotocol, await NonceAsync(gate))}");

            await SendAsync(gate, request, origin: isPaired ? Some.Loopback : Some.Origin);

            gate.Audited.ShouldContain(isPaired ? "device-admitted" : "device-refused not-paired");
            (request.Close?.StartsWith("Close 1008 pairing required", StringComparison.Ordinal)).ShouldBe(isPaired ? null : true);
            request.Http.Response.Headers.ContainsKey("Upgrade").ShouldBeFalse("HTTP/2 has none");
            request.Http.Response.Headers.ContainsKey("Sec-WebSocket-Accept").ShouldBeFalse();
        }
    }

    [Fact]
    public async Task A_refused_upgrade_is_completed_as_RFC_6455_has_it()
    {
        MemoryGate gate = Gate();

        MemoryRequest request = await SendAsync(gate, Presentation.Subprotocol, "x");

        request.Http.Response.Headers.Where(h => h.Key != "Device-Nonce").Select(h => $"{h.Key}: {h.Value}").ShouldBe(
            ["Sec-WebSocket-Protocol: device-proof.v1", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="], ignoreOrder: true);
    }

    // ---- session tokens

    // What is the case; the reason of the answer, null if the request is forwarded; and whether there is a new nonce with it.
    [Theory]
    [InlineData("a token", null, false)]
    [InlineData("half its life", null, false)]
    [InlineData("past half its life", null, true)]
    [InlineData("too old", "expired", true)]
    [InlineData("two tokens", "invalid", true)]
    [InlineData("no token of the gateway's", "invalid", true)]
    [InlineData("for another audience", "audience", true)]
    [InlineData("of an older record", "outdated", true)]
    [InlineData("a proof of the token's device", null, false)]
    [InlineData("another device's proof", "device", true)]
    [InlineData("a proof for another role", "scope", true)]
    [InlineData("a proof for more scopes", "scope", true)]
    public async Task A_session_token_stands_for_a_proof(string what, string? reason, bool isReplaced)
    {
        MemoryGate gate = Gate();
        (DeviceClaim claim, DeviceRecord record) = await AdmittedAsync(gate);
        claim = what == "for another audience" ? claim with { Audience = Audience.Parse("other") } : claim;
        record = what == "of an older record" ? record with { Version = "older" } : record;
        string token = what == "no token of the gateway's" ? "AAAA" : gate.Get<SessionTokens>().Issue(claim, record).Token;
        await gate.AdvanceAsync(TimeSpan.FromSeconds(what switch { "half its life" => 150, "past half its life" => 151, "too old" => 300, _ => 0 }));
        gate.Get<RegistryFreshness>().Renew(); // which announcements do elsewhere
        using ProofSigner other = ProofSigner.WithEd25519();
        string nonce = await NonceAsync(gate);
        MemoryRequest request = Request(Presentation.Header, what switch
        {
            "a proof of the token's device" => _device.Prove("POST", new Uri(Url), nonce, new ProofOptions { Token = token }),
            "another device's proof" => other.Prove("POST", new Uri(Url), nonce, new ProofOptions { Token = token }),
            "a proof for another role" => _device.Prove("POST", new Uri(Url), nonce, new ProofOptions { Token = token, Role = "other" }),
            "a proof for more scopes" => _device.Prove("POST", new Uri(Url), nonce, new ProofOptions { Token = token, Scopes = ScopeSet.Of("more") }),
            _ => null,
        });
        request.Http.Request.Headers["Device-Session"] = what == "two tokens" ? new[] { token, token } : new[] { token };
        bool isForwarded = false;

        await SendAsync(gate, request, takesTokens: true, forward: r =>
        {
            isForwarded = true;
            r.Http.Features.Get<IDeviceFeature>()!.Claim.Device.ShouldBe(_device.Id);
            return Task.CompletedTask;
        });

        isForwarded.ShouldBe(reason is null);
        request.Answer.ShouldBe(reason is null ? "200" : $"401 invalid_session_token; WWW-Authenticate: Device-Proof error=\"invalid_token\"; reason: {reason}; retryable: true");
        request.Http.Response.Headers.ContainsKey("Device-Nonce").ShouldBe(isReplaced);
        if (reason is "device" or "scope")
            gate.Audited.Last().ShouldBe("device-refused session token invalid");
    }

    [Theory]
    [InlineData(false, "403 device_proof_required")]
    [InlineData(true, "200")]
    public async Task A_session_token_is_taken_where_the_route_says_so(bool takesTokens, string answer)
    {
        MemoryGate gate = Gate();
        (DeviceClaim claim, DeviceRecord record) = await AdmittedAsync(gate);
        MemoryRequest request = Request(Presentation.Header, proof: null);
        request.Http.Request.Headers["Device-Session"] = gate.Get<SessionTokens>().Issue(claim, record).Token;

        (await SendAsync(gate, request, takesTokens: takesTokens)).Answer.ShouldBe(answer);
    }

    [Fact]
    public async Task A_proof_beside_a_session_token_is_for_that_token()
    {
        MemoryGate gate = Gate();
        (DeviceClaim claim, DeviceRecord record) = await AdmittedAsync(gate);
        MemoryRequest request = Request(Presentation.Header, Prove(gate, Presentation.Header, await NonceAsync(gate)));
        request.Http.Request.Headers["Device-Session"] = gate.Get<SessionTokens>().Issue(claim, record).Token;

        (await SendAsync(gate, request, takesTokens: true)).Answer.ShouldContain("claim: ath");
    }

    // ---- sessions that end before their request is forwarded

    [Theory]
    [InlineData("device removed", "403 pairing_required")]
    [InlineData("device blocked", "403 device_blocked")]
    [InlineData("gateway restarting", "503 restarting")]
    public async Task A_request_whose_session_has_ended_is_answered(string ended, string answer)
    {
        MemoryGate gate = Gate();
        string proof = Prove(gate, Presentation.Header, await NonceAsync(gate));
        Closing closing = new[] { Closing.DeviceRemoved, Closing.DeviceBlocked, Closing.Restarting }.Single(c => c.Reason == ended);
        _onAdmission.Do = () => gate.Get<SessionTable>().CloseAll(closing);

        MemoryRequest request = await SendAsync(gate, Presentation.Header, proof, forward: _ => throw new NotSupportedException());

        request.Answer.ShouldStartWith(answer);
        ((string?)request.Http.Response.Headers["Device-Nonce"]).ShouldBe(await NonceAsync(gate), "no answer to a refusal is without one");
    }

    [Fact]
    public async Task A_client_that_is_gone_gets_no_answer()
    {
        MemoryGate gate = Gate();
        MemoryRequest request = Request(Presentation.Header, Prove(gate, Presentation.Header, await NonceAsync(gate)));
        _onAdmission.Do = request.Abort;

        await SendAsync(gate, request, forward: _ => throw new NotSupportedException());

        request.Answer.ShouldBe("200", "which nobody reads");
        gate.Audited.Last().ShouldBe("device-admitted");
    }

    // ---- the registry

    [Theory]
    [InlineData(Presentation.Header)]
    [InlineData(Presentation.Subprotocol)]
    internal async Task Without_the_registry_nobody_is_admitted(Presentation how)
    {
        MemoryGate gate = Gate();
        string proof = Prove(gate, how, await NonceAsync(gate));
        ((InMemoryDeviceStore)gate.Get<IDeviceStore>()).IsAvailable = false;

        MemoryRequest request = await SendAsync(gate, how, proof);

        ShouldBe(request, how, "503 registry_unavailable; Retry-After: 1; retryable: true", "Close 1013 registry unavailable");
        ((string?)request.Http.Response.Headers["Device-Nonce"]).ShouldBe(await NonceAsync(gate), "its keys are known");
    }

    // A nonce of a key that nobody can look up may be a good one.
    [Theory]
    [InlineData(Presentation.Header)]
    [InlineData(Presentation.Subprotocol)]
    internal async Task Without_the_registry_no_unknown_nonce_is_judged(Presentation how)
    {
        MemoryGate gate = Gate();
        ((InMemoryDeviceStore)gate.Get<IDeviceStore>()).IsAvailable = false;
        string proof = Prove(gate, how, "AAAAAAAAAAAAAAAAAAAAAAAAAAAA");

        MemoryRequest request = await SendAsync(gate, how, proof);

        ShouldBe(request, how, "503 registry_unavailable; Retry-After: 1; retryable: true", "Close 1013 registry unavailable");
        request.Http.Response.Headers.ContainsKey("Device-Nonce").ShouldBeFalse("there is no key");
        gate.Audited.ShouldBeEmpty();
    }

    [Fact]
    public async Task Without_a_key_a_proof_that_needs_a_nonce_is_refused_without_one()
    {
        MemoryGate gate = Gate();
        ((InMemoryDeviceStore)gate.Get<IDeviceStore>()).IsAvailable = false;

        MemoryRequest request = await SendAsync(gate, Presentation.Subprotocol, Prove(gate, Presentation.Subprotocol, nonce: null));

        request.Close.ShouldBe("Close 1008 device nonce required");
    }

    // ---- pages

    [Theory]
    [InlineData(false, "204")]
    [InlineData(true, "403 device_proof_required")] // no browser asks before a WebSocket
    public async Task A_preflight_needs_no_proof(bool isUpgrade, string answer)
    {
        using var request = new MemoryRequest("OPTIONS");
        if (isUpgrade)
            request.Upgrading().Http.Request.Method = "OPTIONS";
        request.Http.Request.Headers.Origin = "https://page.example";
        request.Http.Request.Headers.AccessControlRequestMethod = "PUT";

        await SendAsync(Gate(), request, isUpgrade: isUpgrade);

        request.Answer.ShouldBe(answer);
        request.Http.Response.Headers.ContainsKey("Device-Nonce").ShouldBe(isUpgrade);
    }

    // ---- headers

    [Theory]
    [InlineData(null, "Device-Nonce Device-Proof Device-Session")]
    [InlineData("Device-Proof", "Device-Nonce Device-Proof Device-Session")]
    [InlineData("DPoP", "DPoP DPoP-Nonce Device-Nonce Device-Proof Device-Session")]
    public void Headers_of_proofs_are_the_gates_own(string? header, string expected)
    {
        IDeviceHandshake handshake = Gate().Get<ProofHandshake>();

        string.Join(' ', handshake.RequestHeadersOf(header is null ? null : Metadata(("DeviceAuth.ProofHeader", header))).Order(StringComparer.Ordinal)).ShouldBe(expected);
        string.Join(' ', handshake.RequestHeaders.Order(StringComparer.Ordinal)).ShouldBe("Device-Nonce Device-Proof Device-Session");
        handshake.TakesHttpRequests.ShouldBeTrue();
    }

    /// <summary>How a proof comes.</summary>
    internal enum Presentation
    {
        Header,
        DPoP,
        Subprotocol,
    }

    private static string SchemeOf(Presentation how) => how == Presentation.DPoP ? "DPoP" : "Device-Proof";

    private static void ShouldBe(MemoryRequest request, Presentation how, string answer, string close)
    {
        if (how == Presentation.Subprotocol)
            request.Close.ShouldBe(close);
        else
            (request.Answer, request.Close).ShouldBe((answer, null));
    }

    private static Dictionary<string, string> Metadata(params (string Name, string Value)[] metadata) => metadata.ToDictionary(m => m.Name, m => m.Value);

    /// <summary>A proof by a clock that is 40 seconds late.</summary>
    /// <param name="gate">The gate.</param>
    /// <param name="how">How it comes: by itself in a POST, or as a WebSocket's.</param>
    /// <param name="nonce">The nonce; null: none.</param>
    /// <param name="member">A member of header or payload, the <c>signature</c>, or the <c>whole</c>, that is replaced.</param>
    /// <param name="json">By what; null: it is left out.</param>
    private string Prove(MemoryGate gate, Presentation how, string? nonce, string? member = null, string? json = null)
    {
        if (member == "whole")
            return "x.y";
        var header = new JsonObject { ["typ"] = "dpop+jwt", ["alg"] = "Ed25519", ["jwk"] = _device.Jwk };
        var claims = new JsonObject
        {
            ["jti"] = Guid.NewGuid().ToString(),
            ["htm"] = how == Presentation.Subprotocol ? "GET" : "POST",
            ["htu"] = Url,
            ["iat"] = gate.Time.GetUtcNow().ToUnixTimeSeconds() - 40,
        };
        if (nonce is not null)
            claims["nonce"] = nonce;
        if (member is not (null or "signature") && json is not null)
            (member is "typ" or "alg" or "crit" or "jwk" ? header : claims)[member] = JsonNode.Parse(json);
        string proof = _device.Sign(header.ToJsonString(), claims.ToJsonString());
        return member == "signature" ? string.Concat(proof.AsSpan(0, proof.LastIndexOf('.') + 1), new string('A', 86)) : proof;
    }

    /// <summary>The device is admitted by a rule: what it has asked for, and its record.</summary>
    private async Task<(DeviceClaim Claim, DeviceRecord Record)> AdmittedAsync(MemoryGate gate)
    {
        DeviceClaim? claim = null;
        await SendAsync(gate, Presentation.Header, Prove(gate, Presentation.Header, await NonceAsync(gate)), forward: r =>
        {
            claim = r.Http.Features.Get<IDeviceFeature>()!.Claim;
            return Task.CompletedTask;
        });
        return (claim.ShouldNotBeNull(), (await gate.Get<DeviceRegistry>().FindAsync(_device.Id, default)).ShouldNotBeNull());
    }

    private static async Task<string> NonceAsync(MemoryGate gate)
    {
        ProofVerifier verifier = gate.Get<ProofVerifier>();
        await verifier.RenewAsync(default);
        return verifier.IssueNonce();
    }

    private MemoryGate Gate(Func<DeviceAuthOptions, DeviceAuthOptions>? configure = null)
    {
        var gate = new MemoryGate(
            options => (configure ?? (o => o))(options with { PublicOrigins = ["https://gate.example"] }),
            services => services.AddSingleton<IAuditListener>(_onAdmission));
        _disposables.Add(gate);
        return gate;
    }

    private MemoryRequest Request(Presentation how, string? proof)
    {
        var request = new MemoryRequest();
        _disposables.Insert(0, request);
        if (how == Presentation.Subprotocol)
            request.Upgrading(proof is null ? Marker : $"{Marker}, {Marker}.{proof}");
        else if (proof is not null)
            request.Http.Request.Headers[how == Presentation.DPoP ? "DPoP" : "Device-Proof"] = proof;
        return request;
    }

    private Task<MemoryRequest> SendAsync(MemoryGate gate, Presentation how, string? proof, ClaimOrigin? origin = null, Func<HandshakeRequest, Task>? forward = null) =>
        SendAsync(gate, Request(how, proof), how == Presentation.DPoP, origin: origin, forward: forward);

    private static async Task<MemoryRequest> SendAsync(
        MemoryGate gate, MemoryRequest request, bool isDPoP = false, string? needed = null, bool? isUpgrade = null, ClaimOrigin? origin = null,
        Func<HandshakeRequest, Task>? forward = null, bool takesTokens = false)
    {
        Dictionary<string, string> metadata = takesTokens ? Metadata(("DeviceAuth.SessionTokens", "Allow")) : isDPoP ? Metadata(("DeviceAuth.ProofHeader", "DPoP")) : needed is not null ? Metadata(("DeviceAuth.Scopes", needed)) : [];
        request.Http.Features.Set<IReverseProxyFeature>(new ReverseProxyFeature
        {
            Route = new RouteModel(new RouteConfig { RouteId = "agent", Match = new RouteMatch(), Metadata = metadata }, cluster: null, HttpTransformer.Default),
        });
        gate.Get<HandshakeBudgets>().TryTake(MemoryTunnel.Client192, default, "backend", gate.Options.Limits, out HandshakePlace place).ShouldBe(BudgetScope.None);
        using (place)
        {
            var handshake = new HandshakeRequest(
                new HandshakeContext(request.Http, origin ?? Some.Loopback, gate.Options, Audience.Default, place),
                gate.Get<AdmissionDesk>(),
                ownHeaders: [],
                isUpgrade ?? request.Http.Request.Headers.SecWebSocketVersion.Count > 0,
                forward ?? (_ => Task.CompletedTask));
            await request.RunAsync(() => handshake.RunAsync(gate.Get<ProofHandshake>()));
        }

        return request;
    }

    private sealed class OnAdmission : IAuditListener
    {
        public Action Do { get; set; } = () => { };

        public void Entered(AuditEntry entry)
        {
            if (entry.Kind == AuditKinds.DeviceAdmitted)
                Do();
        }
    }
}
