using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Handshakes.InMemory;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>What a <c>connect</c> request comes to, without a connection.</summary>
public sealed class ConnectDecisionTests : IDisposable
{
    private const string Nonce = "n0nce";
    private const uint User = 1000;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly List<IDisposable> _disposables = [];
    private readonly SigningDevice _device = new();

    public void Dispose() => _disposables.ForEach(d => d.Dispose());

    // How long the request waited for its turn, in milliseconds of 10,000: a client that may have given up is not decided.
    [Theory]
    [InlineData(10_000, true)]
    [InlineData(10_001, false)]
    public async Task A_request_whose_turn_comes_too_late_is_put_off(int waited, bool isAdmitted)
    {
        MemoryGate gate = Gate();

        ConnectOutcome outcome = await DecideAsync(gate, Connect(gate), waited: TimeSpan.FromMilliseconds(waited));

        outcome.RequestId.ShouldBe("17");
        (outcome.Session is not null).ShouldBe(isAdmitted);
        if (isAdmitted)
            return;
        outcome.Refusal.ShouldNotBeNull().Closing.ShouldBe(Closing.TryAgainLater);
        outcome.Refusal.Delay.ShouldBe(TimeSpan.Zero);
        gate.Audited.ShouldBe(["device-refused busy"]);
    }

    [Fact]
    public async Task What_is_no_request_has_no_id_and_is_a_failure()
    {
        MemoryGate gate = Gate(options => options with { Limits = options.Limits with { FailuresPerAddress = 1 } });

        ConnectOutcome outcome = await DecideAsync(gate, "{}");

        (outcome.RequestId, outcome.Session).ShouldBe(("", null));
        gate.Audited.ShouldHaveSingleItem().ShouldStartWith("device-refused invalid handshake");
        (await DecideAsync(gate, "{}")).Refusal.ShouldNotBeNull().Delay.ShouldBe(FailurePacer.ShortestDelay, "one failure is free");
    }

    // A guess at the shared token is a failure; to wait for an operator is none.
    [Theory]
    [InlineData("wrong", true)]
    [InlineData("right", false)]
    public async Task A_guess_at_the_shared_token_is_held_back(string token, bool isDelayed)
    {
        MemoryGate gate = Gate(options => options with { SharedTokenSha256 = [.. SHA256.HashData("right"u8)], Limits = options.Limits with { FailuresPerAddress = 1 } });

        await DecideAsync(gate, Connect(gate, token), Some.Origin); // one failure is free

        ConnectOutcome outcome = await DecideAsync(gate, Connect(gate, token), Some.Origin);

        outcome.Refusal.ShouldNotBeNull().Delay.ShouldBe(isDelayed ? FailurePacer.ShortestDelay : TimeSpan.Zero);
    }

    // Else a flood of silent clients would evict clients that wait for a decision.
    [Fact]
    public async Task A_client_that_has_sent_its_request_does_not_give_way()
    {
        MemoryGate gate = Gate(options => options with { Limits = options.Limits with { Handshakes = 1 } });
        HandshakePlace place = Take(gate);

        await DecideAsync(gate, Connect(gate), place: place);

        gate.Get<HandshakeBudgets>().TryTake(MemoryTunnel.Client192, default, "backend", gate.Options.Limits, out _).ShouldBe(BudgetScope.All);
        place.GivesWay.IsCancellationRequested.ShouldBeFalse();
    }

    [Fact]
    public async Task A_client_for_which_there_is_no_place_to_wait_is_logged()
    {
        MemoryGate gate = Gate();
        for (int i = 0; i < PairingWaits.MostPerDevice; i++)
        {
            (await DecideAsync(gate, Waiting(gate), Some.Origin)).Refusal!.Wait.ShouldNotBeNull();
            gate.Logged.ShouldBeEmpty();
        }

        (await DecideAsync(gate, Waiting(gate), Some.Origin)).Refusal!.Wait.ShouldBeNull();

        gate.Logged.ShouldBe([1108]);
    }

    // A handshake of somebody else's may put a client's text into it.
    [Theory]
    [InlineData("not \u202Etoday\n", "device-refused not today")]
    [InlineData("\u202E", "device-refused")]
    public void The_reason_of_a_refusal_is_safe_to_show(string reason, string entry)
    {
        MemoryGate gate = Gate();

        gate.Get<AdmissionDesk>().Refuse(Handshake(gate), reason);

        gate.Audited.ShouldBe([entry]);
    }

    [Fact]
    public void A_connection_of_a_device_that_was_admitted_before_says_so()
    {
        var connection = new AdmittedConnection(new DefaultHttpContext(), session: null!, TimeProvider.System);

        ((IGatedConnection)connection).IsAdmitted.ShouldBeTrue();
    }

    // ---- clients without a device

    [Fact]
    public async Task The_rule_for_clients_without_a_device_is_for_no_others()
    {
        MemoryGate gate = WithRule();

        (await DecideAsync(gate, Connect(gate, "right"))).Session.ShouldBeOfType<DeviceSession>();
        (await DecideAsync(gate, Connect(gate, "right").Replace(Nonce, "n1nce", StringComparison.Ordinal))).Session.ShouldBeNull();
        (await DecideAsync(gate, Deviceless(gate))).Session.ShouldBeOfType<DevicelessSession>();
    }

    // The gateway closes all sessions once when it stops. One that is entered behind that would go on until its client leaves.
    [Fact]
    public async Task A_client_that_is_admitted_while_the_gateway_stops_is_closed()
    {
        MemoryGate gate = WithRule();
        var origin = new ClaimOrigin(new Locality(IsLoopback: true), "127.0.0.1", () =>
        {
            gate.Get<IHostApplicationLifetime>().StopApplication();
            return PeerUser.Known(User);
        });

        ConnectOutcome outcome = await DecideAsync(gate, Deviceless(gate), origin);

        outcome.Session.ShouldNotBeNull().Closing.ShouldBe(Closing.Restarting);
    }

    private static string Waiting(JsonNode connect)
    {
        connect["params"]!["caps"] = new JsonArray("device-pairing-wait");
        return connect.ToJsonString();
    }

    private string Waiting(MemoryGate gate) => Waiting(JsonNode.Parse(Connect(gate))!);

    private string Connect(MemoryGate gate, string? token = null) => _device.Connect(Nonce, gate.Time.GetUtcNow(), token: token);

    private string Deviceless(MemoryGate gate)
    {
        JsonNode connect = JsonNode.Parse(Connect(gate, "right"))!;
        connect["params"]!.AsObject().Remove("device");
        return connect.ToJsonString();
    }

    private MemoryGate WithRule() => Gate(options => options with
    {
        SharedTokenSha256 = [.. SHA256.HashData("right"u8)],
        Policy = options.Policy with
        {
            Deviceless = new DevicelessRule { Users = [User], UpTo = ImmutableDictionary<string, ScopeSet>.Empty.Add("operator", ScopeSet.Of("operator.write")) },
        },
    });

    private MemoryGate Gate(Func<DeviceAuthOptions, DeviceAuthOptions>? configure = null)
    {
        var gate = new MemoryGate(options => (configure ?? (o => o))(options with { HandshakeTimeout = Timeout }));
        _disposables.Add(gate);
        return gate;
    }

    private HandshakePlace Take(MemoryGate gate)
    {
        gate.Get<HandshakeBudgets>().TryTake(MemoryTunnel.Client192, default, "backend", gate.Options.Limits, out HandshakePlace place).ShouldBe(BudgetScope.None);
        _disposables.Insert(0, place);
        return place;
    }

    private HandshakeContext Handshake(MemoryGate gate, ClaimOrigin? origin = null, HandshakePlace? place = null) => new(
        new DefaultHttpContext(), origin ?? new ClaimOrigin(new Locality(IsLoopback: true), "127.0.0.1", () => PeerUser.Known(User)), gate.Options, Audience.Default, place ?? Take(gate));

    private async Task<ConnectOutcome> DecideAsync(MemoryGate gate, string connect, ClaimOrigin? origin = null, TimeSpan waited = default, HandshakePlace? place = null)
    {
        using var decision = new ConnectDecision(
            gate.Get<AdmissionDesk>(), gate.Get<Gatekeeper>(), gate.Get<DevicelessGatekeeper>(), gate.Get<PairingWaits>(), gate.Get<Draining>(), gate.Get<IDeviceAuthSettings>(),
            new Clock(gate, waited), new HandshakeLog(gate.Get<PacedLogger<ConnectFrameHandshake>>()));
        ConnectOutcome outcome = await decision.DecideAsync(Handshake(gate, origin, place), Encoding.UTF8.GetBytes(connect), Nonce);
        if (outcome.Session is { } session)
            _disposables.Insert(0, session);
        return outcome;
    }

    /// <summary>The gate's time, and a stopwatch that is later by a time whenever it is read.</summary>
    private sealed class Clock(MemoryGate gate, TimeSpan step) : TimeProvider
    {
        private long _read;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => gate.Time.GetUtcNow();

        public override long GetTimestamp() => Interlocked.Add(ref _read, step.Ticks);
    }
}
