using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using StackExchange.Redis;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>A Redis that has reached its <c>maxmemory</c> and evicts nothing: nothing is granted, nothing is half written, and an operator's no gets through.</summary>
public sealed class RedisFullTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly PairingRules Silent = Some.Rules with { Policy = PairingPolicy.Default };

    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");
    private RedisServer _server = null!;
    private ConnectionMultiplexer _behind = null!;
    private RedisDeviceStore _store = null!;
    private DeviceRegistry _registry = null!;
    private RequestId _open;

    public async Task InitializeAsync()
    {
        _server = await RedisServer.StartAsync(started: true, ["--maxmemory-policy", "noeviction"]);
        _behind = await _server.ConnectAsync();
        _store = OpenAt(_server);
        _registry = new DeviceRegistry(_store);
        await _registry.AdmitAsync(_claim, Some.Loopback, Silent, None);
        _open = (await _registry.AdmitAsync(_claim.Asking("node"), Some.Loopback, Some.Rules, None)).ShouldBeOfType<Admission.Refused>().Request.Id;
        await FillAsync();
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        await _behind.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task On_a_full_server_nothing_is_granted_or_half_written_and_the_error_names_the_cause()
    {
        SortedDictionary<string, string> before = await EverythingAsync();
        Func<Task>[] calls =
        [
            async () => await _registry.AdmitAsync(Some.Claim(), Some.Loopback, Silent, None),
            async () => await _registry.AdmitAsync(Some.Claim(), Some.Loopback with { Address = "192.0.2.1" }, Some.Rules, None),
            async () => await _registry.AdmitAsync(_claim.Asking("operator", "operator.write"), Some.Loopback, Silent, None),
            async () => await _registry.AdmitAsync(_claim.Asking("other"), Some.Loopback, Some.Rules, None),
            async () => await _registry.ApproveAsync(_open, scopes: null, Some.Operator, Some.Rules, None),
            async () => await _registry.SetGrantAsync(_claim.Device, "operator".InDefault(), ScopeSet.Of("operator.admin", "operator.read"), Some.Operator, Some.Rules, None),
        ];
        foreach (Func<Task> call in calls)
        {
            (await Should.ThrowAsync<RegistryUnavailableException>(call)).Message.ShouldStartWith("Redis refuses: OOM");
            (await EverythingAsync()).ShouldBe(before);
        }

        await MakeRoomAsync();
        (await _registry.ApproveAsync(_open, scopes: null, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
    }

    [Fact]
    public async Task On_a_full_server_paired_devices_are_admitted_and_operators_can_read()
    {
        (await _registry.AdmitAsync(_claim, Some.Loopback, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();
        (await _registry.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldHaveSingleItem().Id.ShouldBe(_claim.Device);
        (await _registry.ListOpenRequestsAsync(cursor: null, 10, None)).Items.ShouldHaveSingleItem().Id.ShouldBe(_open);
        (await _registry.FindRequestAsync(_open, None)).ShouldNotBeNull();
    }

    [Fact]
    public async Task On_a_full_server_operators_can_reject_narrow_and_remove()
    {
        (await _registry.RejectAsync(_open, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        (await _registry.SetGrantAsync(_claim.Device, "operator".InDefault(), ScopeSet.Empty, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
        (await _registry.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue();

        (await _registry.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldBeEmpty();
        (await _registry.ListOpenRequestsAsync(cursor: null, 10, None)).Items.ShouldBeEmpty();
        await MakeRoomAsync();
        (await _registry.AdmitAsync(_claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Refused>();
    }

    [Fact]
    public async Task A_document_that_is_refused_after_its_indexes_leaves_nothing_in_lists()
    {
        await MakeRoomAsync();
        DeviceClaim claim = Some.Claim();
        await _behind.GetDatabase().ListLeftPushAsync($"pg:{{{claim.Device}}}", "no document");
        SortedDictionary<string, string> before = await EverythingAsync();

        DeviceRecord paired = Some.Paired(claim, (await _store.GetAsync(Some.Claim().Device, None)).Now);
        (await Should.ThrowAsync<RegistryUnavailableException>(async () =>
            await _store.SwapAsync(new DeviceSwap(Previous: null, paired, ExpiresAt: null, PendingLimits.None), None))).Message.ShouldContain("WRONGTYPE");

        // The device is still in the index, as another gateway may be pairing it at this moment; the next list of devices takes it out.
        (await _registry.ListDevicesAsync(cursor: null, 10, None)).Items.ShouldNotContain(d => d.Id == claim.Device);
        SortedDictionary<string, string> after = await EverythingAsync();
        foreach (string index in after.Keys.Where(key => key.Contains("pg:devices", StringComparison.Ordinal)).ToArray())
            after.Remove(index);
        before.Remove("pg:devices");
        after.ShouldBe(before.Where(pair => after.ContainsKey(pair.Key)));
        after.Count.ShouldBe(before.Count(pair => !pair.Key.Contains("pg:devices", StringComparison.Ordinal)));
    }

    private static RedisDeviceStore OpenAt(RedisServer server) => new(
        new RedisStoreOptions { Configuration = server.EndPoint, Timeout = TimeSpan.FromSeconds(10) }, NullLogger<RedisDeviceStore>.Instance);

    private async Task FillAsync() => await _behind.GetDatabase().ExecuteAsync("CONFIG", "SET", "maxmemory", "1");

    private async Task MakeRoomAsync() => await _behind.GetDatabase().ExecuteAsync("CONFIG", "SET", "maxmemory", "0");

    private async Task<SortedDictionary<string, string>> EverythingAsync()
    {
        var everything = new SortedDictionary<string, string>(StringComparer.Ordinal);
        await foreach (RedisKey key in _behind.GetServers().Single().KeysAsync())
            everything.Add(key.ToString(), Convert.ToHexString((await _behind.GetDatabase().KeyDumpAsync(key))!));
        return everything;
    }
}
