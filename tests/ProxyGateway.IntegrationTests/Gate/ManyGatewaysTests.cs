using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>What an operator takes away at one gateway is gone at every gateway, whatever happens to the announcement.</summary>
public sealed class ManyGatewaysTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const string Prefix = "pg:";
    private readonly TestDevice _device = new();
    private RedisServer _redis = null!;

    public async Task InitializeAsync() => _redis = await RedisServer.StartAsync();

    public async Task DisposeAsync() => await _redis.DisposeAsync();

    [Fact]
    public async Task A_removal_at_one_gateway_closes_the_sessions_at_every_gateway()
    {
        await using TestGateway here = await StartAsync();
        await using TestGateway there = await StartAsync();
        await ListeningAsync(here, there);
        Outcome[] sessions = [await AdmitAsync(here), await AdmitAsync(there), await AdmitAsync(there)];
        Outcome stranger = await AdmitAsync(there, new TestDevice());

        long started = Stopwatch.GetTimestamp();
        (await here.RemoveAsync(_device)).ShouldBeTrue();

        foreach (Outcome session in sessions)
        {
            await ShouldBeClosedAsync(session, 1008, "device removed");
        }

        TimeSpan took = Stopwatch.GetElapsedTime(started);
        output.WriteLine($"last affected session closed after {took.TotalMilliseconds:F0} ms (announced)");
        took.ShouldBeLessThan(TimeSpan.FromSeconds(5)); // some milliseconds, on a machine that is not busy with other tests
        (await TestClient.ConnectAsync(there.Port, _device)).ShouldRequirePairing("not-paired");
        await ShouldLiveAsync(stranger);
    }

    [Fact]
    public async Task A_grant_that_is_narrowed_closes_the_sessions_that_it_no_longer_covers_and_no_others()
    {
        await using TestGateway here = await StartAsync();
        await using TestGateway there = await StartAsync();
        await ListeningAsync(here, there);
        Outcome reads = await AdmitAsync(there, ask: new Ask { Scopes = ["operator.read"] });
        Outcome writes = await AdmitAsync(there, ask: new Ask { Scopes = ["operator.read", "operator.write"] });

        (await here.NarrowAsync(_device, "operator", "operator.read")).ShouldBeTrue();

        await ShouldBeClosedAsync(writes, 1008, "grant revoked");
        await ShouldLiveAsync(reads);
        (await TestClient.ConnectAsync(there.Port, _device, new Ask { Scopes = ["operator.write"] })).ShouldRequirePairing("scope-upgrade");
    }

    [Fact]
    public async Task A_revoked_grant_closes_its_sessions()
    {
        await using TestGateway here = await StartAsync();
        await using TestGateway there = await StartAsync();
        await ListeningAsync(here, there);
        Outcome session = await AdmitAsync(there);

        (await here.Registry.SetGrantAsync(_device.Id, "operator".InDefault(), scopes: null, Some.Operator, here.Rules, default))!.Outcome.ShouldBe(DecisionOutcome.Done);

        await ShouldBeClosedAsync(session, 1008, "grant revoked");
    }

    [Theory]
    [InlineData("approved")]
    [InlineData("rejected")]
    public async Task A_client_that_waits_at_one_gateway_hears_of_a_decision_at_another(string decision)
    {
        await using TestGateway here = await StartAsync();
        await using TestGateway there = await StartAsync();
        await ListeningAsync(here, there);
        (FrameConnection client, string request) = await WaitRemotelyAsync(there);
        (FrameConnection other, string otherRequest) = await WaitRemotelyAsync(there, new TestDevice());

        await (decision == "approved" ? here.ApproveAsync(request) : here.RejectAsync(request));

        await PairingWaitTests.ShouldHearAsync(client, request, decision);
        PairingWaitTests.Waits(there).Count.ShouldBe(1, "the other device waits on");
        await here.ApproveAsync(otherRequest);
        await PairingWaitTests.ShouldHearAsync(other, otherRequest, "approved");
    }

    [Fact]
    public async Task A_decision_while_the_subscription_is_lost_is_found_as_soon_as_it_is_back()
    {
        await using TestGateway gateway = await StartAsync(sweep: TimeSpan.FromHours(1));
        await ListeningAsync(gateway);
        (FrameConnection client, string request) = await WaitRemotelyAsync(gateway);

        await RemoveUnheardAsync(transaction => _ = transaction.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub"));

        await PairingWaitTests.ShouldHearAsync(client, request, "rejected"); // it was removed
    }

    [Fact]
    public async Task A_removal_whose_announcement_is_lost_unnoticed_is_found_by_the_sweep()
    {
        var interval = TimeSpan.FromSeconds(2);
        await using TestGateway gateway = await StartAsync(sweep: interval);
        await ListeningAsync(gateway);
        Outcome session = await AdmitAsync(gateway);

        long started = Stopwatch.GetTimestamp();
        await RemoveUnheardAsync();

        await ShouldBeClosedAsync(session, 1008, "device removed");
        TimeSpan took = Stopwatch.GetElapsedTime(started);
        output.WriteLine($"session closed after {took.TotalMilliseconds:F0} ms (unannounced, swept every {interval.TotalSeconds} s)");
        took.ShouldBeLessThan(interval + TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_removal_while_the_subscription_is_lost_is_found_as_soon_as_it_is_back()
    {
        await using TestGateway gateway = await StartAsync(sweep: TimeSpan.FromHours(1));
        await ListeningAsync(gateway);
        Outcome session = await AdmitAsync(gateway);

        long started = Stopwatch.GetTimestamp();
        await RemoveUnheardAsync(transaction => _ = transaction.ExecuteAsync("CLIENT", "KILL", "TYPE", "pubsub"));

        await ShouldBeClosedAsync(session, 1008, "device removed");
        output.WriteLine($"session closed after {Stopwatch.GetElapsedTime(started).TotalMilliseconds:F0} ms (subscription lost)");
        gateway.Log.Of(11).ShouldNotBeEmpty();
    }

    [Fact]
    public async Task A_removal_while_Redis_restarts_is_found_as_soon_as_it_is_back()
    {
        await using TestGateway gateway = await StartAsync(sweep: TimeSpan.FromHours(1));
        await ListeningAsync(gateway);
        Outcome session = await AdmitAsync(gateway);

        await RemoveUnheardAsync();
        await _redis.KillAsync();
        await _redis.RestartAsync();

        long started = Stopwatch.GetTimestamp();
        await ShouldBeClosedAsync(session, 1008, "device removed");
        output.WriteLine($"session closed {Stopwatch.GetElapsedTime(started).TotalMilliseconds:F0} ms after Redis answered again");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_long_outage_of_the_registry_closes_sessions_only_if_so_configured(bool closes)
    {
        await using TestGateway gateway = await StartAsync(staleness: "00:00:05", closes: closes);
        await ListeningAsync(gateway);
        Outcome session = await AdmitAsync(gateway);

        await _redis.StopAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Log.Of(1503).Any()), "the gateway knows that it is out of date");

        (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldBeClosed(1013, "registry unavailable");
        gateway.Log.Of(1006).ShouldNotBeEmpty();
        if (closes)
            await ShouldBeClosedAsync(session, 1013, "registry unavailable");
        else
            await ShouldLiveAsync(session);
        await _redis.ContinueAsync();
        await AdmittedAgainAsync(gateway);
    }

    [Fact]
    public async Task A_gateway_that_may_read_but_not_listen_admits_nobody_for_long()
    {
        await using TestGateway gateway = await StartAsync(staleness: "00:00:05");
        await ListeningAsync(gateway);
        await AdmitAsync(gateway);
        await using ConnectionMultiplexer behind = await _redis.ConnectAsync();

        await behind.GetDatabase().ExecuteAsync("ACL", "SETUSER", "default", "resetchannels");
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Log.Of(1503).Any()), "the gateway knows that it is out of date");

        (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldBeClosed(1013, "registry unavailable");
        gateway.Log.Of(1005).ShouldBeEmpty("It could have been read.");
        await behind.GetDatabase().ExecuteAsync("ACL", "SETUSER", "default", "allchannels");
        await AdmittedAgainAsync(gateway);
    }

    private Task<TestGateway> StartAsync(TimeSpan? sweep = null, string? staleness = null, bool closes = false) => TestGateway.StartAsync(
        new Dictionary<string, string?>
        {
            ["Registry:SweepInterval"] = (sweep ?? TimeSpan.FromHours(1)).ToString("c"),
            ["Registry:StalenessLimit"] = staleness ?? "00:10:00",
            ["Registry:CloseStaleSessions"] = closes.ToString(),
        },
        services: s => s.AddRedisDeviceStore(new RedisStoreOptions { Configuration = _redis.EndPoint, KeyPrefix = Prefix }));

    private static async Task ListeningAsync(params TestGateway[] gateways)
    {
        foreach (TestGateway gateway in gateways)
        {
            await Eventually.HoldsAsync(() => Task.FromResult(gateway.Log.Of(10).Any()), "the gateway hears announcements");
        }
    }

    private async Task<Outcome> AdmitAsync(TestGateway gateway, TestDevice? device = null, Ask? ask = null)
    {
        Outcome outcome = await TestClient.ConnectAsync(gateway.Port, device ?? _device, ask);
        outcome.ShouldBeAdmitted();
        return outcome;
    }

    private async Task<(FrameConnection Client, string Request)> WaitRemotelyAsync(TestGateway gateway, TestDevice? device = null) =>
        await PairingWaitTests.WaitAsync(gateway, device ?? _device);

    private async Task AdmittedAgainAsync(TestGateway gateway) => await Eventually.HoldsAsync(
        async () => (await TestClient.ConnectAsync(gateway.Port, _device)).IsAdmitted, "the device is admitted again");

    private static async Task ShouldBeClosedAsync(Outcome session, int code, string reason)
    {
        Frame close = await session.Client.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((code, reason));
    }

    private static async Task ShouldLiveAsync(Outcome session)
    {
        await session.Client.SendTextAsync("are you there?");
        (await session.Client.ReceiveAsync())!.Text.ShouldBe("are you there?");
    }

    /// <summary>Removes the device in a way that nobody announces: in a registry beside this one, and copies the record over.</summary>
    private async Task RemoveUnheardAsync(Action<ITransaction>? meanwhile = null)
    {
        string record = $"{{{_device.Id}}}";
        await using ConnectionMultiplexer behind = await _redis.ConnectAsync();
        IDatabase database = behind.GetDatabase();
        await database.StringSetAsync("beside:" + record, await database.StringGetAsync(Prefix + record));
        await using (var beside = new RedisDeviceStore(
            new RedisStoreOptions { Configuration = _redis.EndPoint, KeyPrefix = "beside:" }, NullLogger<RedisDeviceStore>.Instance))
        {
            (await new DeviceRegistry(beside).RemoveAsync(_device.Id, Some.Operator, Some.Rules, default)).ShouldBeTrue();
        }

        RedisValue removed = await database.StringGetAsync("beside:" + record);
        ITransaction transaction = database.CreateTransaction();
        meanwhile?.Invoke(transaction);
        _ = transaction.StringSetAsync(Prefix + record, removed);
        (await transaction.ExecuteAsync()).ShouldBeTrue();
    }
}
