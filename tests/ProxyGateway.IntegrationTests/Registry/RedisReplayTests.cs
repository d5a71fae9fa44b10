using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.IntegrationTests.Registry.Interleaving;
using StackExchange.Redis;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>Proofs that are used once, at several gateways on one Redis, and what Redis has of them.</summary>
public sealed class RedisReplayTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly List<RedisDeviceStore> _stores = [];
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");
    private RedisServer _server = null!;
    private ConnectionMultiplexer _behind = null!;
    private DeviceRegistry _registry = null!;

    private string Document => $"pg:{{{_claim.Device}}}";

    public async Task InitializeAsync()
    {
        _server = await RedisServer.StartAsync();
        _behind = await _server.ConnectAsync();
        _registry = Gateway();
        RequestId asked = (await _registry.AdmitAsync(_claim, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Refused>().Request.Id;
        await _registry.ApproveAsync(asked, scopes: null, Some.Operator, Some.Rules, None);
    }

    public async Task DisposeAsync()
    {
        foreach (RedisDeviceStore store in _stores)
            await store.DisposeAsync();
        await _behind.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_proof_that_comes_a_hundred_times_to_two_gateways_admits_once(bool forgetsScripts)
    {
        DeviceRegistry[] gateways = [_registry, Gateway()];
        foreach (DeviceRegistry gateway in gateways)
            (await UseAsync(gateway, $"first{gateway.GetHashCode()}")).ShouldBeOfType<Admission.Admitted>();
        if (forgetsScripts)
            await _behind.GetServers().Single().ScriptFlushAsync();

        Admission[] decided = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => Task.Run(() => UseAsync(gateways[i % 2], "a"))));

        decided.Count(d => d is Admission.Admitted).ShouldBe(1);
        decided.Count(d => d is Admission.UsedBefore).ShouldBe(99);
    }

    [Fact]
    public async Task A_proof_that_a_rule_admits_at_two_gateways_at_once_admits_once()
    {
        DeviceRegistry[] gateways = [_registry, Gateway()];
        DeviceClaim unknown = Some.Claim();
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };

        Admission[] decided = await Task.WhenAll(Enumerable.Range(0, 50).Select(i => Task.Run(async () =>
            await gateways[i % 2].AdmitAsync(unknown, Some.Loopback, silent, new UseOnce("a", UseOnce.Longest), None))));

        decided.Count(d => d is Admission.Admitted).ShouldBe(1);
        decided.Count(d => d is Admission.UsedBefore).ShouldBe(49);
    }

    [Fact]
    public async Task A_decision_with_a_mark_is_one_round_trip()
    {
        await UseAsync(_registry, "first");
        await _behind.GetServers().Single().ConfigResetStatisticsAsync();

        for (int i = 0; i < 20; i++)
            (await UseAsync(_registry, $"{i}")).ShouldBeOfType<Admission.Admitted>();

        string commands = (await _server.ExecuteAsync("INFO", "commandstats")).ToString();
        commands.ShouldContain("cmdstat_evalsha:calls=20,");
        commands.ShouldContain("cmdstat_getex:calls=20,");
        commands.ShouldNotContain("cmdstat_eval:");
    }

    [Fact]
    public async Task Marks_are_beside_their_document_and_expire()
    {
        for (int i = 0; i < 3; i++)
            await UseAsync(_registry, $"{i}");
        var once = new UseOnce("0", UseOnce.Longest);

        RedisKey[] marks = [.. await KeysAsync($"{Document}:used:*")];
        marks.Length.ShouldBe(3);
        marks.ShouldContain($"{Document}:used:{once.MarkOf(_claim.Device)}");
        foreach (RedisKey key in marks.Append($"{Document}:uses"))
        {
            (await _behind.GetDatabase().KeyTimeToLiveAsync(key))!.Value.ShouldBe(UseOnce.Longest, TimeSpan.FromMinutes(1));
            _behind.GetHashSlot(key).ShouldBe(_behind.GetHashSlot(Document));
        }

        (await _behind.GetDatabase().StringGetAsync($"{Document}:uses")).ShouldBe(3);
        (await _behind.GetDatabase().KeyTimeToLiveAsync(Document)).ShouldBeNull();
    }

    [Fact]
    public async Task A_stranger_without_a_request_leaves_no_mark()
    {
        PairingRules full = Some.Rules with { Limits = new PendingLimits(InAll: 0, PerAddress: 0) };
        for (int i = 0; i < 20; i++)
            (await _registry.AdmitAsync(Some.Claim(), Some.Origin, full, new UseOnce("a", UseOnce.Longest), None)).ShouldBeOfType<Admission.TooManyRequests>();

        (await KeysAsync("*:use*")).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_proof_whose_answer_was_lost_is_used_up_and_the_next_one_is_admitted()
    {
        using var gate = new RedisGate(_server.EndPoint, "pg:");
        DeviceRegistry cut = Gateway($"{gate.EndPoint},protocol=resp2");
        await cut.PingAsync(None);
        (await UseAsync(_registry, "first")).ShouldBeOfType<Admission.Admitted>(); // Redis knows the script from now on
        gate.Turn = () => Task.FromResult(Fate.DiesAfter);

        await Should.ThrowAsync<RegistryUnavailableException>(() => UseAsync(cut, "a"));

        (await UseAsync(_registry, "a")).ShouldBeOfType<Admission.UsedBefore>();
        (await UseAsync(_registry, "b")).ShouldBeOfType<Admission.Admitted>();
    }

    [Fact]
    public async Task While_Redis_is_away_or_no_primary_no_proof_is_admitted_and_none_comes_back_after_it()
    {
        (await UseAsync(_registry, "a")).ShouldBeOfType<Admission.Admitted>();
        await _server.ExecuteAsync("REPLICAOF", "127.0.0.1", "1");
        await Should.ThrowAsync<RegistryUnavailableException>(() => UseAsync(_registry, "b"));
        await Should.ThrowAsync<RegistryUnavailableException>(() => UseAsync(_registry, "a"));
        await _server.ExecuteAsync("REPLICAOF", "NO", "ONE");
        await Eventually.HoldsAsync(async () => await TryUseAsync("c") is not null, "it is a primary again");
        await _server.KillAsync();
        await Should.ThrowAsync<RegistryUnavailableException>(() => UseAsync(_registry, "d"));

        await _server.RestartAsync();

        await Eventually.HoldsAsync(async () => await TryUseAsync("a") is Admission.UsedBefore, "the mark is there again");
        (await UseAsync(_registry, "e")).ShouldBeOfType<Admission.Admitted>();
    }

    [Fact]
    public async Task A_full_Redis_admits_no_proof_that_it_cannot_mark()
    {
        (await UseAsync(_registry, "a")).ShouldBeOfType<Admission.Admitted>();
        await _server.ExecuteAsync("CONFIG", "SET", "maxmemory", "1");

        (await Should.ThrowAsync<RegistryUnavailableException>(() => UseAsync(_registry, "b"))).Message.ShouldContain("OOM");
        (await UseAsync(_registry, "a")).ShouldBeOfType<Admission.UsedBefore>();
        (await _registry.RemoveAsync(_claim.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue("operators can still remove it");
    }

    private static async Task<Admission> UseAsync(DeviceRegistry registry, DeviceClaim claim, string name) =>
        await registry.AdmitAsync(claim, Some.Origin, Some.Rules, new UseOnce(name, UseOnce.Longest), None);

    private Task<Admission> UseAsync(DeviceRegistry registry, string name) => UseAsync(registry, _claim, name);

    private async Task<Admission?> TryUseAsync(string name)
    {
        try
        {
            return await UseAsync(_registry, name);
        }
        catch (RegistryUnavailableException)
        {
            return null;
        }
    }

    private DeviceRegistry Gateway(string? configuration = null)
    {
        var store = new RedisDeviceStore(
            new RedisStoreOptions { Configuration = configuration ?? _server.EndPoint, Timeout = TimeSpan.FromSeconds(10) }, NullLogger<RedisDeviceStore>.Instance);
        _stores.Add(store);
        return new DeviceRegistry(store);
    }

    private async Task<List<RedisKey>> KeysAsync(string pattern)
    {
        var keys = new List<RedisKey>();
        await foreach (RedisKey key in _behind.GetServers().Single().KeysAsync(pattern: pattern, pageSize: 1000))
            keys.Add(key);
        return keys;
    }
}
