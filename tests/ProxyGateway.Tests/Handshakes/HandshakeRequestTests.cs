using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Handshakes.InMemory;
using Endpoint = ProxyGateway.Tests.Handshakes.InMemory.Endpoint;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>What a handshake can do with its request, and in which order; in memory, with a clock that the test moves.</summary>
public sealed class HandshakeRequestTests : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly List<IDisposable> _disposables = [];
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");

    public void Dispose() => _disposables.ForEach(d => d.Dispose());

    // ---- claims

    // The public key's length in bytes, what is done to its text, and whether the claim is one.
    [Theory]
    [InlineData(32, "", true)]
    [InlineData(1, "", true)]
    [InlineData(96, "", true)] // 128 characters
    [InlineData(97, "", false)]
    [InlineData(0, "", false)]
    [InlineData(32, "=", false)]
    [InlineData(32, " ", false)]
    [InlineData(32, "A", false)]
    [InlineData(32, "spare bits", false)] // another spelling of the same key
    [InlineData(32, "+", false)]
    [InlineData(32, "another key", false)]
    public void A_claims_id_is_that_of_its_key_in_the_keys_one_spelling(int length, string change, bool isClaim)
    {
        byte[] key = new byte[length];
        string text = Base64Url.EncodeToString(key);
        text = change switch
        {
            "spare bits" => text[..^1] + "B",
            "+" => "+" + text[1..],
            "another key" => "B" + text[1..],
            _ => text + change,
        };
        DeviceClaim claim = _claim with { Device = DeviceId.Of(key), PublicKey = text };

        if (isClaim)
            AdmissionDesk.Check(claim).ShouldBe(claim);
        else
            Should.Throw<ArgumentException>(() => AdmissionDesk.Check(claim));
    }

    [Theory]
    [InlineData("operator", 64, "a", true)]
    [InlineData("operator", 65, "a", false)]
    [InlineData("operator", 1, "a b", false)]
    [InlineData("operator", 2, "a b|c", false)]
    [InlineData("operator", -1, "", false)] // null
    [InlineData("", 0, "", false)]
    [InlineData("an operator", 0, "", false)]
    public void A_claims_role_and_scopes_are_names(string role, int scopes, string scope, bool isClaim)
    {
        DeviceClaim claim = _claim with { Role = role, Scopes = scopes < 0 ? null! : ScopeSet.Of(Enumerable.Range(0, scopes).Select(i => $"{scope.Split('|')[i % scope.Split('|').Length]}{i}")) };

        if (isClaim)
            AdmissionDesk.Check(claim).ShouldBe(claim);
        else
            Should.Throw<ArgumentException>(() => AdmissionDesk.Check(claim));
    }

    [Fact]
    public void A_claims_description_is_made_safe_to_show()
    {
        AdmissionDesk.Check(_claim with { Client = new ClientDescription("a\n", "b\n", "c\n", "d\n") }).Client.ShouldBe(new ClientDescription("a", "b", "c", "d"));
        AdmissionDesk.Check(_claim with { Client = null! }).Client.ShouldBe(new ClientDescription());
    }

    [Theory]
    [InlineData("secret", "secret", true)]
    [InlineData("secret", "Secret", false)]
    [InlineData("secret", null, false)]
    [InlineData(null, "secret", false)]
    [InlineData(null, null, false)]
    public void A_shared_token_is_shown_where_there_is_one(string? configured, string? shown, bool shows)
    {
        DeviceAuthOptions options = Shared(new DeviceAuthOptions(), configured);

        AdmissionDesk.ShowsSharedToken(shown, options).ShouldBe(shows);
    }

    // ---- decisions

    [Fact]
    public async Task An_admitted_device_has_a_session_until_its_handshake_returns()
    {
        MemoryGate gate = Gate();
        HandshakeRequest request = Request(gate);

        await RunAsync(request, async r =>
        {
            (await r.DecideAsync(_claim)).ShouldBeOfType<Admission.Admitted>();
            gate.Get<SessionTable>().Count.ShouldBe(1);
        });

        gate.Get<SessionTable>().Count.ShouldBe(0);
        gate.Audited.ShouldContain("device-admitted");
    }

    // The shared token that is configured and shown; whether the device is paired; and what becomes of the claim.
    [Theory]
    [InlineData(null, null, false, "Refused")]
    [InlineData("secret", "secret", false, "Refused")]
    [InlineData("secret", "other", false, "Unauthorized")]
    [InlineData("secret", null, false, "Unauthorized")]
    [InlineData("secret", null, true, "Admitted")]
    public async Task Only_a_client_that_shows_the_shared_token_may_ask(string? configured, string? shown, bool isPaired, string admission)
    {
        MemoryGate gate = Gate(options => Shared(options, configured));
        if (isPaired)
            await PairAsync(gate, configured);

        (await Request(gate, origin: Some.Origin).DecideAsync(_claim, shown)).GetType().Name.ShouldBe(admission);
    }

    [Fact]
    public async Task A_gateway_that_ends_admits_nobody()
    {
        MemoryGate gate = Gate();
        gate.Get<IHostApplicationLifetime>().StopApplication();

        (await Request(gate).DecideAsync(_claim)).ShouldBe(new Admission.Restarting());

        gate.Get<SessionTable>().Count.ShouldBe(0);
        gate.Audited.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_session_that_is_entered_while_the_gateway_begins_to_end_is_closed()
    {
        var filter = new Filter(_ => null);
        MemoryGate gate = Gate(filter: filter);
        filter.Answer = _ =>
        {
            gate.Get<IHostApplicationLifetime>().StopApplication();
            return null;
        };
        HandshakeRequest request = Request(gate);

        (await request.DecideAsync(_claim)).ShouldBeOfType<Admission.Admitted>();

        (await request.ForwardAsync()).ShouldBeFalse("its session has ended");
    }

    [Theory]
    [InlineData("not today", "not today", false, "device-refused not today")]
    [InlineData(null, "internal error", true, "device-refused internal error")] // the filter throws
    public async Task A_filter_refuses_before_the_registry_is_asked(string? reason, string told, bool hasFailed, string audited)
    {
        MemoryGate gate = Gate(filter: new Filter(_ => reason ?? throw new InvalidOperationException()));

        (await Request(gate).DecideAsync(_claim)).ShouldBe(new Admission.RefusedByFilter(told, hasFailed));

        gate.Audited.ShouldBe([audited]);
        gate.Get<SessionTable>().Count.ShouldBe(0);
    }

    // ---- order

    [Theory]
    [InlineData("decide", "decide", "decided or forwarded already")]
    [InlineData("decide", "refuse", "decided or forwarded already")]
    [InlineData("refuse", "decide", "decided or forwarded already")]
    [InlineData("refuse", "refuse", "decided or forwarded already")]
    [InlineData("refuse", "forward", "Only a request of an admitted device")]
    [InlineData("", "forward", "Only a request of an admitted device")]
    [InlineData("decide forward", "forward", "decided or forwarded already")]
    [InlineData("decide forward", "decide", "decided or forwarded already")]
    [InlineData("decide end", "forward", "is over")]
    [InlineData("decide", "undecided", "decided or forwarded already")]
    [InlineData("undecided", "decide", "decided or forwarded already")]
    [InlineData("decline", "decide", "decided or forwarded already")]
    [InlineData("decide", "decline", "decided or forwarded already")]
    [InlineData("end", "decide", "is over")]
    [InlineData("end", "refuse", "is over")]
    [InlineData("end", "undecided", "is over")]
    public async Task A_request_is_decided_once_and_then_forwarded_once(string before, string then, string refusal)
    {
        MemoryGate gate = Gate();
        int forwarded = 0;
        HandshakeRequest request = Request(gate, _ =>
        {
            forwarded++;
            return Task.CompletedTask;
        });
        foreach (string step in before.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            await StepAsync(step);
        int forwardedBefore = forwarded;

        InvalidOperationException refused = await Should.ThrowAsync<InvalidOperationException>(() => StepAsync(then));

        refused.Message.ShouldContain(refusal);
        forwarded.ShouldBe(forwardedBefore);

        Task StepAsync(string step) => step switch
        {
            "decide" => request.DecideAsync(_claim),
            "refuse" => request.RefuseAsync("no proof"),
            "forward" => request.ForwardAsync(),
            "undecided" => request.ForwardUndecidedAsync(new Connection()),
            "decline" => Task.Run(() => request.Decline(_claim, Closing.InsufficientScope)),
            _ => RunAsync(request, _ => Task.CompletedTask),
        };
    }

    [Fact]
    public async Task A_device_that_is_refused_is_not_forwarded()
    {
        HandshakeRequest request = Request(Gate(), origin: Some.Origin);
        (await request.DecideAsync(_claim)).ShouldBeOfType<Admission.Refused>();

        await Should.ThrowAsync<InvalidOperationException>(request.ForwardAsync);
    }

    [Fact]
    public async Task What_a_handshake_has_begun_is_waited_for_after_it_has_returned()
    {
        var answer = new TaskCompletionSource<string?>();
        MemoryGate gate = Gate(filter: new Filter(_ => null) { Later = answer.Task });
        HandshakeRequest request = Request(gate);

        Task running = RunAsync(request, r =>
        {
            _ = r.DecideAsync(_claim);
            return Task.CompletedTask;
        });
        running.IsCompleted.ShouldBeFalse();
        answer.SetResult(null);
        await running.WaitAsync(Endpoint.Patience);

        gate.Get<SessionTable>().Count.ShouldBe(0, "else no removal would end it");
    }

    [Fact]
    public async Task The_exception_of_a_handshake_is_thrown_and_its_session_ends()
    {
        MemoryGate gate = Gate();

        await Should.ThrowAsync<NotSupportedException>(() => RunAsync(Request(gate), async r =>
        {
            await r.DecideAsync(_claim);
            throw new NotSupportedException();
        }));

        gate.Get<SessionTable>().Count.ShouldBe(0);
    }

    // ---- handshakes that take too long

    [Theory]
    [InlineData(-1, false)]
    [InlineData(0, true)]
    public async Task A_handshake_that_decides_nothing_in_time_is_aborted(int ticks, bool isAborted)
    {
        MemoryGate gate = Gate();
        HandshakeRequest request = Request(gate);
        var end = new TaskCompletionSource();
        Task running = RunAsync(request, _ => end.Task);

        await gate.AdvanceAsync(Timeout + TimeSpan.FromMilliseconds(ticks));

        request.Http.RequestAborted.IsCancellationRequested.ShouldBe(isAborted);
        end.SetResult();
        await running.WaitAsync(Endpoint.Patience);
    }

    [Fact]
    public async Task A_handshake_that_gives_way_is_aborted()
    {
        HandshakeRequest request = Request(Gate());
        var end = new TaskCompletionSource();
        Task running = RunAsync(request, _ => end.Task);

        await Task.Run(request.Handshake.Place.GiveWay);

        request.Http.RequestAborted.IsCancellationRequested.ShouldBeTrue();
        end.SetResult();
        await running.WaitAsync(Endpoint.Patience);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Once_it_has_decided_a_handshake_may_take_its_time(bool decides)
    {
        MemoryGate gate = Gate();
        HandshakeRequest request = Request(gate);
        var end = new TaskCompletionSource();
        Task running = RunAsync(request, async r =>
        {
            await Task.Yield();
            await (decides ? r.DecideAsync(_claim) : r.RefuseAsync("no proof"));
            await end.Task;
        });
        await Eventually.HoldsAsync(() => Task.FromResult(gate.Audited.Count > 0), "it is decided");

        await gate.AdvanceAsync(2 * Timeout);

        request.Http.RequestAborted.IsCancellationRequested.ShouldBeFalse();
        end.SetResult();
        await running.WaitAsync(Endpoint.Patience);
    }

    [Fact]
    public async Task A_handshake_that_answers_without_a_decision_is_not_aborted()
    {
        HandshakeRequest request = Request(Gate());

        await RunAsync(request, async _ => await Task.Yield());

        request.Http.RequestAborted.IsCancellationRequested.ShouldBeFalse();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_request_that_is_decided_or_refused_is_not_evicted_as_silent(bool decides)
    {
        MemoryGate gate = Gate(options => options with { Limits = options.Limits with { HandshakesPerAddress = 1 } });
        HandshakeRequest request = Request(gate);
        await (decides ? request.DecideAsync(_claim) : request.RefuseAsync("no proof"));

        gate.Get<HandshakeBudgets>().TryTake(MemoryTunnel.Client192, default, "backend", gate.Options.Limits, out _).ShouldBe(BudgetScope.Address);

        request.Handshake.Place.GivesWay.IsCancellationRequested.ShouldBeFalse();
    }

    // Else plain requests would pass a handshake that knows only upgrades.
    [Fact]
    public void A_handshake_that_does_not_say_so_takes_no_plain_requests() => ((IDeviceHandshake)new Scripted(_ => Task.CompletedTask)).TakesHttpRequests.ShouldBeFalse();

    // ---- refusals

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" ")]
    public async Task A_refusal_has_a_reason(string? reason) => await Should.ThrowAsync<ArgumentException>(() => Request(Gate()).RefuseAsync(reason!));

    [Fact]
    public async Task A_refusal_is_logged_and_entered_in_the_audit_without_the_clients_control_characters()
    {
        MemoryGate gate = Gate();

        await Request(gate).RefuseAsync("no\u001b proof");

        gate.Logged.ShouldBe([1101]);
        gate.Audited.ShouldBe(["device-refused no proof"]);
    }

    // One failure is free.
    [Theory]
    [InlineData(false, 0, 0)]
    [InlineData(false, 1, 250)]
    [InlineData(false, 2, 500)]
    [InlineData(true, 0, 0)] // a claim that needs the shared token
    [InlineData(true, 1, 250)]
    public async Task The_refusals_of_a_client_that_fails_again_are_held_back(bool decides, int failures, int milliseconds)
    {
        MemoryGate gate = Gate(options => Shared(options with { Limits = options.Limits with { FailuresPerAddress = 1 } }, "secret"));
        HandshakeRequest request = Request(gate, origin: Some.Origin);
        for (int i = 0; i < failures; i++)
            gate.Get<AdmissionDesk>().Fail(request.Handshake);

        Task refusing = decides ? request.DecideAsync(_claim) : request.RefuseAsync("no proof");
        await Eventually.HoldsAsync(() => Task.FromResult(gate.Audited.Count == 1), "it is refused");

        if (milliseconds > 0)
        {
            refusing.IsCompleted.ShouldBeFalse();
            await gate.AdvanceAsync(TimeSpan.FromMilliseconds(milliseconds - 1));
            refusing.IsCompleted.ShouldBeFalse();
            await gate.AdvanceAsync(TimeSpan.FromMilliseconds(1));
        }

        await refusing.WaitAsync(Endpoint.Patience);
    }

    [Theory]
    [InlineData("evicted")]
    [InlineData("gone")]
    [InlineData("ending")]
    public async Task A_refusal_is_held_back_no_longer_once_nobody_needs_that(string why)
    {
        MemoryGate gate = Gate();
        HandshakeRequest request = Request(gate);
        Task delay = gate.Get<AdmissionDesk>().HoldBackAsync(request.Handshake, TimeSpan.FromSeconds(5));
        delay.IsCompleted.ShouldBeFalse();

        await Task.Run(() =>
        {
            if (why == "evicted")
                request.Handshake.Place.GiveWay();
            else if (why == "gone")
                request.Http.Abort();
            else
                gate.Get<IHostApplicationLifetime>().StopApplication();
        });

        await delay.WaitAsync(Endpoint.Patience);
    }

    [Fact]
    public async Task A_refusal_that_is_held_back_gives_way_to_another_handshake()
    {
        MemoryGate gate = Gate(options => options with { Limits = options.Limits with { HandshakesPerAddress = 1 } });
        HandshakeRequest request = Request(gate);
        request.Handshake.Place.Speak();
        await gate.Get<AdmissionDesk>().HoldBackAsync(request.Handshake, TimeSpan.Zero);
        gate.Get<HandshakeBudgets>().TryTake(MemoryTunnel.Client192, default, "backend", gate.Options.Limits, out _).ShouldBe(BudgetScope.Address);

        Task delay = gate.Get<AdmissionDesk>().HoldBackAsync(request.Handshake, TimeSpan.FromSeconds(5));
        gate.Get<HandshakeBudgets>().TryTake(MemoryTunnel.Client192, default, "backend", gate.Options.Limits, out _).ShouldBe(BudgetScope.None);

        await delay.WaitAsync(Endpoint.Patience);
    }

    // ---- forwarding

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task While_a_device_is_forwarded_it_has_a_session_and_no_place_among_the_handshakes(bool isPaired)
    {
        MemoryGate gate = Gate();
        if (isPaired)
            await PairAsync(gate);
        string[] during = [];
        HandshakeRequest request = Request(gate, r =>
        {
            during = [.. gate.Audited];
            gate.Get<HandshakeBudgets>().InUse.ShouldBe(0);
            r.Http.Features.Get<IDeviceFeature>()!.Claim.Device.ShouldBe(_claim.Device);
            gate.Get<ClientHistory>().FamiliarityOf(r.Handshake.Place.Client)[0].ShouldBe(isPaired, "the address of a paired device is familiar, that of a new one is not");
            return Task.CompletedTask;
        });
        await request.DecideAsync(_claim);

        (await request.ForwardAsync()).ShouldBeTrue();

        during[^2..].ShouldBe(["device-admitted", "session-opened"]);
        gate.Audited.ToArray()[^2..].ShouldBe(["session-opened", "session-closed"]);
    }

    [Fact]
    public async Task A_forwarding_that_fails_ends_the_session_in_the_audit()
    {
        MemoryGate gate = Gate();
        HandshakeRequest request = Request(gate, _ => throw new NotSupportedException());
        await request.DecideAsync(_claim);

        await Should.ThrowAsync<NotSupportedException>(request.ForwardAsync);

        gate.Audited.ShouldContain("session-closed");
    }

    [Theory]
    [InlineData("session")]
    [InlineData("client")]
    public async Task Nothing_is_forwarded_once_the_session_has_ended_or_the_client_is_gone(string ended)
    {
        MemoryGate gate = Gate();
        HandshakeRequest request = Request(gate, _ => throw new NotSupportedException());
        await request.DecideAsync(_claim);
        if (ended == "client")
            request.Http.Abort();
        else
            gate.Get<SessionTable>().CloseAll(Closing.DeviceRemoved);

        (await request.ForwardAsync()).ShouldBeFalse();

        gate.Audited.ShouldNotContain("session-opened");
    }

    [Fact]
    public async Task A_plain_request_is_aborted_when_its_session_ends()
    {
        MemoryGate gate = Gate();
        var forwarding = new TaskCompletionSource();
        HandshakeRequest request = Request(gate, _ => forwarding.Task);
        await request.DecideAsync(_claim);
        Task<bool> running = request.ForwardAsync();
        request.Http.RequestAborted.IsCancellationRequested.ShouldBeFalse();

        gate.Get<SessionTable>().CloseAll(Closing.DeviceRemoved);

        request.Http.RequestAborted.IsCancellationRequested.ShouldBeTrue();
        forwarding.SetResult();
        await running.WaitAsync(Endpoint.Patience);
        gate.Audited.ShouldContain("session-closed device removed");
    }

    // What happens to the twelfth request of a minute, and what the audit then has of it.
    [Theory]
    [InlineData("ends", new string[0])]
    [InlineData("lasts", new[] { "session-closed" })]
    [InlineData("is ended", new[] { "session-closed device removed" })]
    [InlineData("is a WebSocket", new[] { "device-admitted", "session-opened", "session-closed" })]
    public async Task Of_many_plain_requests_the_audit_has_those_that_last_or_that_the_gate_ends(string what, string[] audited)
    {
        MemoryGate gate = Gate();
        await PairAsync(gate);
        int before = gate.Audited.Count;
        for (int i = 0; i < 11; i++)
            await AskAsync(_ => Task.CompletedTask);
        gate.Audited.Skip(before).ShouldBe(Enumerable.Repeat(new[] { "device-admitted", "session-opened", "session-closed" }, 10).SelectMany(entries => entries));
        before = gate.Audited.Count;

        await AskAsync(
            async _ =>
            {
                gate.Get<SessionTable>().List(_claim.Device, after: 0, limit: 10).Length.ShouldBe(1, "it is a session like any other");
                if (what == "lasts")
                    await gate.AdvanceAsync(TimeSpan.FromSeconds(11));
                else if (what == "is ended")
                    gate.Get<SessionTable>().CloseAll(Closing.DeviceRemoved);
            },
            isUpgrade: what == "is a WebSocket");

        gate.Audited.Skip(before).ShouldBe(audited);

        Task AskAsync(Func<HandshakeRequest, Task> forward, bool isUpgrade = false) => RunAsync(Request(gate, forward, isUpgrade: isUpgrade), async request =>
        {
            await request.DecideAsync(_claim);
            await request.ForwardAsync();
        });
    }

    [Fact]
    public async Task A_plain_request_that_is_over_is_not_aborted()
    {
        MemoryGate gate = Gate();
        HandshakeRequest request = Request(gate);
        await request.DecideAsync(_claim);
        await request.ForwardAsync();

        gate.Get<SessionTable>().CloseAll(Closing.DeviceRemoved);

        request.Http.RequestAborted.IsCancellationRequested.ShouldBeFalse("its context serves another one");
    }

    [Fact]
    public async Task A_backend_that_does_not_upgrade_leaves_nothing_to_close()
    {
        MemoryGate gate = Gate();
        HandshakeRequest request = Request(gate, isUpgrade: true);
        await request.DecideAsync(_claim);

        (await request.ForwardAsync()).ShouldBeTrue();

        gate.Audited.ShouldContain("session-closed");
    }

    [Fact]
    public async Task A_WebSocket_is_relayed_and_closed_with_the_reason_when_its_session_ends()
    {
        MemoryGate gate = Gate();
        (SocketStream ours, SocketStream theirs) = SocketStream.Pair();
        var client = new Endpoint(theirs, isMasking: true);
        HandshakeRequest request = Request(gate, isUpgrade: true, forward: async r =>
        {
            Stream proxied = await r.Http.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
            using HttpContent backend = r.Http.Features.GetRequiredFeature<GatedUpgrade>().Wrap(new ByteArrayContent([]));
            (await backend.ReadAsStreamAsync()).Length.ShouldBe(0);
            byte[] buffer = new byte[100];
            (await proxied.ReadAsync(buffer)).ShouldBe(client.Frame(Opcode.Text, "hello").Length);
            gate.Get<SessionTable>().CloseAll(Closing.DeviceRemoved);
            (await proxied.ReadAsync(buffer)).ShouldBe(8, "a masked close frame for the backend, and nothing of the client's");
        });
        request.Http.Features.Set<IHttpUpgradeFeature>(new Upgradable(ours));
        await client.SendAsync("hello");
        await request.DecideAsync(_claim);

        Task<bool> running = Task.Run(request.ForwardAsync);

        (await client.ReceiveAsync()).ShouldBe("Close 1008 device removed");
        await gate.AdvanceAsync(TimeSpan.FromSeconds(2));
        running.IsCompleted.ShouldBeFalse("the client's close frame is waited for, for five seconds");
        request.Http.RequestAborted.IsCancellationRequested.ShouldBeFalse();
        await client.SendAsync(Opcode.Close, "");
        (await running.WaitAsync(Endpoint.Patience)).ShouldBeTrue();
    }

    private static DeviceAuthOptions Shared(DeviceAuthOptions options, string? token) =>
        token is null ? options : options with { SharedTokenSha256 = [.. SHA256.HashData(Encoding.UTF8.GetBytes(token))] };

    private static Task RunAsync(HandshakeRequest request, Func<HandshakeRequest, Task> invoke) => request.RunAsync(new Scripted(invoke));

    private async Task PairAsync(MemoryGate gate, string? sharedToken = null)
    {
        HandshakeRequest request = Request(gate);
        await RunAsync(request, r => r.DecideAsync(_claim, sharedToken));
        request.Handshake.Place.Dispose();
    }

    private MemoryGate Gate(Func<DeviceAuthOptions, DeviceAuthOptions>? configure = null, Filter? filter = null)
    {
        var gate = new MemoryGate(
            options => (configure ?? (o => o))(options with { HandshakeTimeout = Timeout }),
            services =>
            {
                if (filter is not null)
                    services.AddSingleton<IAdmissionFilter>(filter);
            });
        _disposables.Add(gate);
        return gate;
    }

    private HandshakeRequest Request(
        MemoryGate gate, Func<HandshakeRequest, Task>? forward = null, ClaimOrigin? origin = null, bool isUpgrade = false)
    {
        gate.Get<HandshakeBudgets>().TryTake(MemoryTunnel.Client192, default, "backend", gate.Options.Limits, out HandshakePlace place).ShouldBe(BudgetScope.None);
        _disposables.Insert(0, place);
        var http = new DefaultHttpContext();
        var lifetime = new Lifetime();
        _disposables.Add(lifetime);
        http.Features.Set<IHttpRequestLifetimeFeature>(lifetime);
        return new HandshakeRequest(
            new HandshakeContext(http, origin ?? Some.Loopback, gate.Options, Audience.Default, place), gate.Get<AdmissionDesk>(), ownHeaders: [], isUpgrade, forward ?? (_ => Task.CompletedTask));
    }

    private sealed class Scripted(Func<HandshakeRequest, Task> invoke) : IDeviceHandshake
    {
        public Task InvokeAsync(HandshakeRequest request) => invoke(request);
    }

    private sealed class Filter(Func<AdmissionContext, string?> answer) : IAdmissionFilter
    {
        public Func<AdmissionContext, string?> Answer { get; set; } = answer;

        public Task<string?>? Later { get; init; }

        public ValueTask<string?> RefuseAsync(AdmissionContext admission, CancellationToken cancellationToken) =>
            Later is null ? ValueTask.FromResult(Answer(admission)) : new ValueTask<string?>(Later);
    }

    private sealed class Connection : IGatedConnection
    {
        public Stream Accept(Stream client) => client;

        public Task<Stream> ShakeHandsAsync(Stream backend, CancellationToken cancellationToken) => Task.FromResult(backend);
    }

    private sealed class Upgradable(Stream stream) : IHttpUpgradeFeature
    {
        public bool IsUpgradableRequest => true;

        public Task<Stream> UpgradeAsync() => Task.FromResult(stream);
    }

    private sealed class Lifetime : IHttpRequestLifetimeFeature, IDisposable
    {
        private readonly CancellationTokenSource _aborted = new();

        public CancellationToken RequestAborted
        {
            get => _aborted.Token;
            set => throw new NotSupportedException();
        }

        public void Abort() => _aborted.Cancel();

        public void Dispose() => _aborted.Dispose();
    }
}
