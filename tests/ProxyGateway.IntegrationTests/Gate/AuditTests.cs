using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>What happens at the gate is in the audit: who, what, from where, by which rule, and nothing that is secret or unproved.</summary>
public sealed class AuditTests
{
    private readonly TestDevice _device = new();

    [Fact]
    public async Task Approval_by_a_rule_admission_and_session_are_entered()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        Outcome admitted = await TestClient.ConnectAsync(gateway.Port, _device, new Ask { DisplayName = "Some\u202Ebody" });
        admitted.ShouldBeAdmitted();
        await EntriesAsync(gateway, AuditKinds.SessionOpened);
        await admitted.Client.DisposeAsync();

        List<AuditEntry> entries = await EntriesAsync(gateway, AuditKinds.SessionClosed);

        entries.Select(e => e.Kind).ShouldBe(["device-auto-approved", "device-admitted", "session-opened", "session-closed"]);
        entries.ShouldAllBe(e => e.DeviceId == _device.Id && e.Role == "operator" && e.Scopes!.Single() == "operator.read"
            && e.Address == "127.0.0.1" && e.Locality == LocalityKind.Loopback && e.Operator == null && !e.Uncertain);
        (entries[0].Rule, entries[0].Reason, entries[0].Client!.DisplayName).ShouldBe(("loopback", "not-paired", "Somebody"));
        entries[1].Rule.ShouldBe("loopback");
        (entries[3].CloseCode, entries[3].Reason).ShouldBe((null, null), "it left by itself");
    }

    [Fact]
    public async Task Request_approval_admission_and_removal_are_entered()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        Outcome refused = await TestClient.ConnectAsync(gateway.RemotePort, _device);
        refused.ShouldRequirePairing("not-paired");
        await gateway.ApproveAsync(refused.RequestId);
        Outcome admitted = await TestClient.ConnectAsync(gateway.RemotePort, _device);
        admitted.ShouldBeAdmitted();
        await gateway.RemoveAsync(_device);
        await admitted.Client.ReceiveCloseAsync();
        await admitted.Client.DisposeAsync();

        List<AuditEntry> entries = await EntriesAsync(gateway, AuditKinds.SessionClosed);

        entries.Select(e => e.Kind).ShouldBe(
            ["request-opened", "device-refused", "request-approved", "device-admitted", "session-opened", "device-removed", "session-closed"]);
        entries.ShouldAllBe(e => e.DeviceId == _device.Id);
        entries.Take(3).ShouldAllBe(e => e.RequestId == RequestId.Parse(refused.RequestId));
        (entries[1].Reason, entries[1].Address, entries[1].Locality).ShouldBe(("not-paired", "203.0.113.7", LocalityKind.Remote));
        entries.Where(e => e.Operator == "ops").Select(e => e.Kind).ShouldBe(["request-approved", "device-removed"]);
        entries[3].Rule.ShouldBeNull("a grant covers it");
        (entries[6].CloseCode, entries[6].Reason).ShouldBe((1008, "device removed"));
    }

    [Fact]
    public async Task A_stranger_whose_proof_fails_is_not_named_and_no_secret_is_kept()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        string signature = "";
        var ask = new Ask
        {
            Token = "hunter2",
            Tamper = f =>
            {
                f["params"]!["role"] = "node"; // not what was signed
                signature = (string)f["params"]!["device"]!["signature"]!;
            },
        };

        (await TestClient.ConnectAsync(gateway.Port, _device, ask)).ShouldBeClosed(1008, "device signature invalid");

        AuditEntry entry = (await EntriesAsync(gateway, AuditKinds.DeviceRefused)).ShouldHaveSingleItem();
        entry.ShouldBe(new AuditEntry
        {
            Id = entry.Id,
            Time = entry.Time,
            Gateway = Environment.MachineName,
            Kind = "device-refused",
            Reason = "device signature invalid",
            CloseCode = 1008,
            Address = "127.0.0.1",
            Locality = LocalityKind.Loopback,
        });
        (await TestClient.ConnectAsync(gateway.Port, _device, ask with { Tamper = null })).ShouldBeAdmitted();
        List<AuditEntry> all = await EntriesAsync(gateway, AuditKinds.SessionOpened);
        string text = string.Join('\n', all.Select(e => Encoding.UTF8.GetString(AuditDocument.Serialize(e))));
        foreach (string secret in new[] { "hunter2", "a-nonce", signature })
            text.ShouldNotContain(secret);
    }

    [Fact]
    public async Task Refusals_before_the_handshake_are_entered()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:Limits:HandshakesPerAddress"] = "1" });
        (await TestClient.RequestAsync(gateway.Port, headers: ["Origin: http://evil.example"])).Status.ShouldBe(403);
        var heard = new TaskCompletionSource();
        gateway.Backend.Script = async backend =>
        {
            await backend.SendTextAsync(Protocol.Challenge(new Ask().Nonce));
            await backend.ReceiveAsync();
            heard.SetResult();
            await backend.ReceiveAsync();
        };
        await using FrameConnection first = await TestClient.AskAsync(gateway.Port, _device);
        await heard.Task.WaitAsync(Eventually.Patience); // it does not give way any more
        (await TestClient.RequestAsync(gateway.Port)).Status.ShouldBe(429);

        List<AuditEntry> entries = await EntriesAsync(gateway, AuditKinds.UpgradeRefused, count: 2);

        entries.Where(e => e.Kind == AuditKinds.UpgradeRefused).Select(e => (e.Kind, e.Reason, e.Address)).ShouldBe(
            [("upgrade-refused", "origin", "127.0.0.1"), ("upgrade-refused", "budget-of-address", "127.0.0.1")]);
    }

    [Fact]
    public async Task The_end_of_a_session_at_a_stop_is_written_before_the_gateway_ends()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        Outcome admitted = await TestClient.ConnectAsync(gateway.Port, _device);
        admitted.ShouldBeAdmitted();
        Task stopped = gateway.StopAsync();
        Frame close = await admitted.Client.ReceiveCloseAsync();
        await admitted.Client.SendAsync(DeviceAuth.WebSockets.Opcode.Close, close.Payload);
        await stopped;

        AuditEntry last = (await gateway.Audit.ListAsync(new AuditFilter(), before: null, 1, default)).Items.Single();

        (last.Kind, last.CloseCode, last.Reason).ShouldBe(("session-closed", 1012, "gateway restarting"));
    }

    [Fact]
    public async Task While_the_registry_hangs_refusals_are_entered_and_written_later()
    {
        await using RedisServer redis = await RedisServer.StartAsync();
        await using TestGateway gateway = await TestGateway.StartAsync(services: s =>
            s.AddRedisDeviceStore(new RedisStoreOptions { Configuration = redis.EndPoint, Timeout = TimeSpan.FromSeconds(1) }));
        using var drops = new CountedDrops("proxygateway.audit.dropped", gateway.Meters);
        (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldBeAdmitted();
        await EntriesAsync(gateway, AuditKinds.SessionOpened);

        await redis.StopAsync();
        for (int i = 0; i < 2; i++)
            (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldBeClosed(1013, "registry unavailable");
        await redis.ContinueAsync();

        List<AuditEntry> entries = await EntriesAsync(gateway, AuditKinds.DeviceRefused, count: 2);
        entries.Where(e => e.Kind == AuditKinds.DeviceRefused).ShouldAllBe(e => e.Reason == "registry-unavailable" && e.DeviceId == _device.Id);
        entries.Count(e => e.Kind == AuditKinds.DeviceAdmitted).ShouldBe(1);
        drops.Count.ShouldBe(0);
    }

    [Fact]
    public async Task A_change_without_an_answer_is_entered_as_uncertain()
    {
        SwapFails? store = null;
        await using TestGateway gateway = await TestGateway.StartAsync(services: s =>
        {
            string path = Path.Combine(Directory.CreateTempSubdirectory("gate-").FullName, "registry.db");
            DeviceAuth.Sqlite.SqliteDeviceStore inner = DeviceAuth.Sqlite.SqliteDeviceStore.Open(new() { Path = path }, TimeProvider.System);
            s.AddSingleton<IDeviceStore>(store = new SwapFails(inner));
            s.AddSingleton<IAuditStore>(inner);
        });
        Outcome refused = await TestClient.ConnectAsync(gateway.RemotePort, _device);
        store!.AfterSwap = () => throw new RegistryUnavailableException("No answer.");

        await Should.ThrowAsync<RegistryUnavailableException>(() => gateway.ApproveAsync(refused.RequestId));

        store.AfterSwap = () => { };
        (await gateway.ApproveAsync(refused.RequestId))!.Outcome.ShouldBe(DecisionOutcome.AlreadyDone, "it was written, and repeating it enters nothing");
        AuditEntry approved = (await EntriesAsync(gateway, AuditKinds.RequestApproved)).Last();
        (approved.Operator, approved.Uncertain).ShouldBe(("ops", true));
    }

    [Fact]
    public async Task A_device_is_seen_when_it_is_admitted_now_and_then_while_it_stays_and_when_it_leaves()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using TestGateway gateway = await TestGateway.StartAsync(time: time);
        Outcome admitted = await TestClient.ConnectAsync(gateway.Port, _device, new Ask { SignedAt = time.GetUtcNow() });
        admitted.ShouldBeAdmitted();
        DeviceRecord paired = (await gateway.FindAsync(_device))!;
        DateTimeOffset seen = await SeenAfterAsync(paired.CreatedAt.AddMinutes(-1));
        seen.ShouldBe(paired.CreatedAt, TimeSpan.FromSeconds(10));

        time.Advance(TimeSpan.FromMinutes(20));
        DateTimeOffset seenAgain = await SeenAfterAsync(seen);

        time.Advance(TimeSpan.FromMinutes(2));
        DateTimeOffset leaves = time.GetUtcNow();
        await admitted.Client.DisposeAsync();
        (await SeenAfterAsync(seenAgain)).ShouldBeGreaterThanOrEqualTo(DateTimeOffset.FromUnixTimeMilliseconds(leaves.ToUnixTimeMilliseconds()));
        (await gateway.FindAsync(_device))!.Version.ShouldBe(paired.Version);

        async Task<DateTimeOffset> SeenAfterAsync(DateTimeOffset before)
        {
            DateTimeOffset? at = null;
            await Eventually.HoldsAsync(
                async () =>
                {
                    time.Advance(TimeSpan.FromMilliseconds(100));
                    at = (await gateway.FindAsync(_device))!.LastSeenAt;
                    return at > before;
                },
                $"the device was seen after {before:O}");
            return at!.Value;
        }
    }

    /// <summary>Waits until there are so many entries of a kind; all there are then, oldest first.</summary>
    private static async Task<List<AuditEntry>> EntriesAsync(TestGateway gateway, string kind, int count = 1)
    {
        List<AuditEntry> entries = [];
        await Eventually.HoldsAsync(
            async () =>
            {
                try
                {
                    entries = [.. (await gateway.Audit.ReadAfterAsync(0, 1000, default)).Items];
                }
                catch (RegistryUnavailableException)
                {
                    return false;
                }

                return entries.Count(e => e.Kind == kind) >= count;
            },
            $"the audit has {count} of {kind}");
        return entries;
    }

    private sealed class SwapFails(IDeviceStore inner) : DelegatingStore(inner)
    {
        public Action AfterSwap { get; set; } = () => { };

        public override async ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken)
        {
            SwapResult result = await base.SwapAsync(swap, cancellationToken);
            AfterSwap();
            return result;
        }
    }
}
