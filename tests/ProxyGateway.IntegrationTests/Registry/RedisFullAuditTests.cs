using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.Tests.Shared;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>A small Redis that strangers try to fill by what is entered of them: who is new still gets in, and operators can still decide.</summary>
public sealed class RedisFullAuditTests(ITestOutputHelper output) : IAsyncLifetime, IDisposable
{
    private const long MaxMemory = 16 * 1024 * 1024;
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly PairingRules Silent = Some.Rules with { Policy = PairingPolicy.Default };

    private readonly CountedDrops _drops = new("proxygateway.audit.dropped");
    private readonly CapturedLog _log = new();
    private readonly List<string> _shortages = [];
    private RedisServer _server = null!;
    private RedisDeviceStore _store = null!;
    private LoggerFactory _loggers = null!;
    private AuditLog _audit = null!;
    private DeviceRegistry _registry = null!;
    private long _batch;

    public async Task InitializeAsync()
    {
        _server = await RedisServer.StartAsync(started: true, ["--maxmemory", "16mb", "--maxmemory-policy", "noeviction", "--appendonly", "no"]);
        _loggers = new LoggerFactory([_log]);
        _store = new RedisDeviceStore(
            new RedisStoreOptions { Configuration = _server.EndPoint, Timeout = TimeSpan.FromSeconds(10) }, _loggers.CreateLogger<RedisDeviceStore>());
        _audit = new AuditLog(TimeProvider.System, _drops.Telemetry, _loggers.CreateLogger<AuditLog>(), _store);
        _registry = new DeviceRegistry(_store, audit: _audit);
        await _audit.StartAsync(None);
    }

    public async Task DisposeAsync()
    {
        await _audit.StopAsync(None);
        await _store.DisposeAsync();
        await _server.DisposeAsync();
    }

    public void Dispose()
    {
        _audit.Dispose();
        _drops.Dispose();
        _loggers.Dispose();
    }

    [Fact]
    public async Task A_flood_of_requests_leaves_room_for_new_devices_and_operators()
    {
        DeviceClaim waiting = Some.Claim("node");
        RequestId asked = (await _registry.AdmitAsync(waiting, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Refused>().Request.Id;

        // 64 scopes of 128 letters each, as one frame may ask for; more of it, cut as it is, than the server holds, and small ones before.
        await FloodAsync(10_000, new AuditEntry { Kind = AuditKinds.UpgradeRefused, Reason = "origin" });
        ScopeSet scopes = ScopeSet.Of(Enumerable.Range(100, 64).Select(i => $"{i}{new string('s', 125)}"));
        for (int i = 0; i < 2000; i++)
            _audit.Enter(new AuditEntry { Kind = AuditKinds.DeviceRefused, DeviceId = waiting.Device, Role = "operator", Scopes = scopes, Address = $"192.0.{i / 250}.{i % 250}" });
        await FloodAsync(20_000, AuditBounds.Cut(new AuditEntry { Kind = AuditKinds.DeviceRefused, DeviceId = waiting.Device, Role = "operator", Scopes = scopes }));

        long used = await UsedAsync();
        output.WriteLine($"{used / 1048576.0:F1} MiB of 16 are used, {await LengthAsync("strangers")} refusals are kept.");
        used.ShouldBeLessThan(MaxMemory * 8 / 10);
        (await LengthAsync("strangers")).ShouldBeGreaterThan(1000, "the newest are kept");
        _shortages.ShouldNotBeEmpty();
        _shortages.ShouldAllBe(s => s.EndsWith("of 16.0 MiB (maxmemory)", StringComparison.Ordinal));

        DeviceClaim newcomer = Some.Claim("operator", "operator.read");
        (await _registry.AdmitAsync(newcomer, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>();
        (await _registry.ApproveAsync(asked, scopes: null, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        DeviceId stranger = Some.Claim().Device;
        (await _registry.ChangeAsync(stranger, new DeviceChange.Block("noise"), Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        (await _registry.ChangeAsync(stranger, new DeviceChange.Unblock(), Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        await Eventually.HoldsAsync(
            async () => (await _store.ListAsync(new AuditFilter(Operator: "ops"), before: null, 10, None)).Items.Select(e => e.Kind)
                .SequenceEqual([AuditKinds.DeviceUnblocked, AuditKinds.DeviceBlocked, AuditKinds.RequestApproved]),
            "what the operator did is entered");
        (await _store.ListAsync(new AuditFilter(AuditKinds.DeviceAutoApproved), before: null, 10, None)).Items.ShouldHaveSingleItem().DeviceId.ShouldBe(newcomer.Device);
        _log.Of(1302).ShouldBeEmpty("every batch was taken");
    }

    [Fact]
    public async Task On_a_full_server_operators_actions_are_entered_and_strangers_entries_make_room()
    {
        await FloodAsync(5000, AuditBounds.Cut(new AuditEntry { Kind = AuditKinds.DeviceRefused, Reason = new string('x', 800) }));
        await _server.ExecuteAsync("CONFIG", "SET", "maxmemory", ((await UsedAsync()) - 500_000).ToString(System.Globalization.CultureInfo.InvariantCulture));
        (await Should.ThrowAsync<RegistryUnavailableException>(async () => await _registry.ChangeAsync(Some.Claim().Device, new DeviceChange.Block("noise"), Some.Operator, Some.Rules, None)))
            .Message.ShouldStartWith("Redis refuses: OOM");

        // That it was tried is entered, and with it half of what strangers have goes.
        await Eventually.HoldsAsync(async () => await LengthAsync("strangers") < 3000, "strangers have made room");
        (await _store.ListAsync(new AuditFilter(Operator: "ops"), before: null, 10, None)).Items.ShouldHaveSingleItem().Kind.ShouldBe(AuditKinds.DeviceBlocked);
        (await _registry.ChangeAsync(Some.Claim().Device, new DeviceChange.Block("noise"), Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
    }

    private async Task FloodAsync(int count, AuditEntry entry)
    {
        for (int i = 0; i < count; i += 250)
        {
            AuditReceipt receipt = await _store.AppendAsync(new AuditBatch("flood", ++_batch, [.. Enumerable.Repeat(entry, 250)]), None);
            if (receipt.Shortage is { } shortage)
                _shortages.Add(shortage);
        }
    }

    private async Task<long> UsedAsync()
    {
        string info = (string)(await _server.ExecuteAsync("INFO", "memory"))!;
        return long.Parse(info.Split('\n').Single(l => l.StartsWith("used_memory:", StringComparison.Ordinal)).AsSpan()["used_memory:".Length..].Trim(), System.Globalization.CultureInfo.InvariantCulture);
    }

    private async Task<long> LengthAsync(string source) => (long)await _server.ExecuteAsync("XLEN", $"pg:{{audit}}:{source}");
}
