using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.Tests.Handshakes.InMemory;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>A client without a device in the handshake: admitted by the rule for such clients alone, if there is one.</summary>
public sealed class DevicelessConnectTests
{
    private const uint User = 1000;
    private const string HelloOk = """{"type":"res","id":"17","ok":true,"payload":{"type":"hello-ok"}}""";

    private static readonly ClaimOrigin Local = new(new Locality(IsLoopback: true), "127.0.0.1", () => PeerUser.Known(User));

    // Whether there is a rule; the token, the role and the scope that the client shows; and what it is told, and what the audit has.
    [Theory]
    [InlineData(true, "right", "operator", "operator.read", null, null)]
    [InlineData(false, "right", "operator", "operator.read", "Close 1008 device identity required", "device-refused device identity required")]
    [InlineData(true, "wrong", "operator", "operator.read", "Close 1008 device identity required", "device-refused device identity required: ")]
    [InlineData(true, "right", "node", "operator.read", "Close 1008 device identity required", "device-refused device identity required: ")]
    [InlineData(true, "right", "operator", "operator.admin", "Close 1008 device identity required", "device-refused device identity required: ")]
    public async Task A_client_without_a_device_gets_in_by_the_rule_alone(bool hasRule, string token, string role, string scope, string? told, string? audited)
    {
        using MemoryGate gate = Gate(hasRule);
        MemoryTunnel tunnel = await gate.ConnectAsync(Local);
        string connect = Connect(token, role, scope);
        await tunnel.ChallengeAsync();
        await tunnel.Client.SendAsync(connect);

        if (told is null)
        {
            (await tunnel.Backend.ReceiveAsync()).ShouldBe("Text " + connect);
            await tunnel.Backend.SendAsync(HelloOk);
            (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + HelloOk);
            gate.Get<SessionTable>().Count.ShouldBe(1);
            tunnel.Http.Features.Get<IDeviceFeature>().ShouldBeNull("there is no device");
        }
        else
        {
            (await tunnel.Client.ReceiveAsync()).ShouldContain("\"DEVICE_IDENTITY_REQUIRED\"");
            (await tunnel.Client.ReceiveAsync()).ShouldBe(told);
            gate.Audited.ShouldContain(entry => entry.StartsWith(audited!, StringComparison.Ordinal));
        }

        await tunnel.Client.CloseAsync();
        await tunnel.EndAsync();
        gate.Get<SessionTable>().Count.ShouldBe(0);
    }

    [Fact]
    public async Task A_client_that_acts_for_another_is_refused()
    {
        using MemoryGate gate = Gate(hasRule: true);
        MemoryTunnel tunnel = await gate.ConnectAsync(Local);
        await tunnel.ChallengeAsync();
        JsonNode connect = JsonNode.Parse(Connect("right"))!;
        connect["params"]!["auth"]!["trustedBrokerProfileId"] = "somebody";

        await tunnel.Client.SendAsync(connect.ToJsonString());

        (await tunnel.Client.ReceiveAsync()).ShouldContain("\"DEVICE_IDENTITY_REQUIRED\"");
    }

    [Fact]
    public async Task A_user_with_too_many_sessions_is_told_to_try_again()
    {
        using MemoryGate gate = Gate(hasRule: true, maxSessions: 1);
        MemoryTunnel first = await gate.ConnectAsync(Local);
        await first.ChallengeAsync();
        await first.Client.SendAsync(Connect("right"));
        await first.Backend.ReceiveAsync();
        MemoryTunnel tunnel = await gate.ConnectAsync(Local);
        await tunnel.ChallengeAsync();

        await tunnel.Client.SendAsync(Connect("right"));

        (await tunnel.Client.ReceiveAsync()).ShouldContain("\"UNAVAILABLE\"");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1013 try again later");
    }

    [Fact]
    public async Task Its_failures_hold_its_refusals_back()
    {
        using MemoryGate gate = Gate(hasRule: true, freeFailures: 1);
        await FailAsync(await gate.ConnectAsync(Local));
        MemoryTunnel tunnel = await gate.ConnectAsync(Local);

        Task<string> refused = FailAsync(tunnel);
        await Eventually.HoldsAsync(() => Task.FromResult(gate.Audited.Count(e => e.StartsWith("device-refused", StringComparison.Ordinal)) == 2), "it is refused", Endpoint.Patience);
        refused.IsCompleted.ShouldBeFalse();
        await Eventually.HoldsAsync(
            async () =>
            {
                await gate.AdvanceAsync(FailurePacer.ShortestDelay); // the delay may begin a moment after the audit's entry
                return refused.IsCompleted;
            },
            "it is told",
            Endpoint.Patience);

        (await refused).ShouldContain("\"DEVICE_IDENTITY_REQUIRED\"");

        static async Task<string> FailAsync(MemoryTunnel tunnel)
        {
            await tunnel.ChallengeAsync();
            await tunnel.Client.SendAsync(Connect("wrong"));
            return await tunnel.Client.ReceiveAsync();
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_reload_between_its_connection_and_its_decision_makes_it_come_again(bool anotherDoor)
    {
        var settings = new Settings();
        using MemoryGate gate = new(add: services => services.AddSingleton<IDeviceAuthSettings>(settings));
        settings.Current = With(gate.Options, Rule);
        DeviceAuthOptions then = anotherDoor ? settings.Current with { RequestHeaders = ["X-Other"] } : With(settings.Current, rule: null);
        MemoryTunnel tunnel = await gate.ConnectAsync(Local with
        {
            LookUpPeerUser = () =>
            {
                if (!anotherDoor)
                    settings.Current = then; // the last moment: what was read before covers it
                return PeerUser.Known(User);
            },
        });
        await tunnel.ChallengeAsync();
        if (anotherDoor)
            settings.Current = then;

        await tunnel.Client.SendAsync(Connect("right"));

        (await tunnel.Client.ReceiveAsync()).ShouldContain("\"UNAVAILABLE\"");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1013 try again later");
        gate.Audited.ShouldBe(["device-refused reloaded"]);
        gate.Get<SessionTable>().Count.ShouldBe(0);
    }

    [Theory]
    [InlineData(true)] // before the rule is asked
    [InlineData(false)] // just before it is entered
    public async Task A_gateway_that_stops_while_it_decides_lets_nobody_in(bool early)
    {
        var settings = new Settings();
        using MemoryGate gate = new(add: services => services.AddSingleton<IDeviceAuthSettings>(settings));
        settings.Current = With(gate.Options, Rule);
        var draining = gate.Get<Draining>();
        MemoryTunnel tunnel = await gate.ConnectAsync(Local with
        {
            LookUpPeerUser = () =>
            {
                Stop();
                return PeerUser.Known(User);
            },
        });
        await tunnel.ChallengeAsync();
        if (early)
            settings.OnRead = Stop;

        await tunnel.Client.SendAsync(Connect("right"));

        (await tunnel.Client.ReceiveAsync()).ShouldContain("\"UNAVAILABLE\"");
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Close 1012 gateway restarting");
        if (early)
            gate.Audited.ShouldBeEmpty();

        void Stop()
        {
            settings.OnRead = null;
            Task.Run(() => draining.StoppingAsync(default)).Wait();
        }
    }

    [Theory]
    [InlineData("wrong", null)]
    [InlineData("right", "operator")]
    public async Task Nothing_that_it_says_is_kept_unless_it_has_shown_the_token(string token, string? role)
    {
        var audit = new Entries();
        using MemoryGate gate = Gate(hasRule: true, add: services => services.AddSingleton<IAuditListener>(audit));
        MemoryTunnel tunnel = await gate.ConnectAsync(Local);
        await tunnel.ChallengeAsync();

        await tunnel.Client.SendAsync(Connect(token, scope: "operator.admin"));

        (await tunnel.Client.ReceiveAsync()).ShouldContain("\"DEVICE_IDENTITY_REQUIRED\"");
        AuditEntry entry = audit.All.ShouldHaveSingleItem();
        (entry.User, entry.Role, entry.Scopes?.ToString()).ShouldBe((User, role, role is null ? null : "operator.admin"));
    }

    [Fact]
    public async Task A_backend_that_refuses_it_is_heard_and_asked_nothing()
    {
        using MemoryGate gate = Gate(hasRule: true);
        MemoryTunnel tunnel = await gate.ConnectAsync(Local);
        await tunnel.ChallengeAsync();
        await tunnel.Client.SendAsync(Connect("right"));
        await tunnel.Backend.ReceiveAsync();
        const string refusal = """{"type":"res","id":"17","ok":false,"error":{"code":"NOT_PAIRED","details":{"code":"PAIRING_REQUIRED","requestId":"r1"}}}""";

        await tunnel.Backend.SendAsync(refusal);

        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + refusal);
        gate.Audited.ShouldContain("backend-refused NOT_PAIRED PAIRING_REQUIRED, request r1");
    }

    private static string Connect(string token, string role = "operator", string scope = "operator.read")
    {
        JsonNode connect = JsonNode.Parse(new SigningDevice().Connect("n0nce", DateTimeOffset.UnixEpoch, role, scope, token))!;
        connect["params"]!.AsObject().Remove("device");
        return connect.ToJsonString();
    }

    private static DevicelessRule Rule { get; } = new()
    {
        Users = [User],
        UpTo = ImmutableDictionary<string, ScopeSet>.Empty.Add("operator", ScopeSet.Of("operator.write")),
    };

    private static DeviceAuthOptions With(DeviceAuthOptions options, DevicelessRule? rule) =>
        options with { SharedTokenSha256 = [.. SHA256.HashData("right"u8)], Policy = options.Policy with { Deviceless = rule } };

    private static MemoryGate Gate(bool hasRule, int maxSessions = 10, int freeFailures = 10, Action<IServiceCollection>? add = null) => new(
        options => With(options, hasRule ? Rule : null) with
        {
            Limits = options.Limits with { SessionsPerDevice = maxSessions, FailuresPerAddress = freeFailures },
        },
        add);

    private sealed class Settings : IDeviceAuthSettings
    {
        public DeviceAuthOptions Current
        {
            get
            {
                OnRead?.Invoke();
                return field;
            }
            set;
        }
        = new();

        public Action? OnRead { get; set; }
    }

    private sealed class Entries : IAuditListener
    {
        public ConcurrentQueue<AuditEntry> All { get; } = [];

        public void Entered(AuditEntry entry) => All.Enqueue(entry);
    }
}
