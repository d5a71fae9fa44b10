using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>What becomes of the registry while Redis is hurt, and after. Each test has a Redis of its own.</summary>
public sealed class RedisOutageTests(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    // The one that is configured if nothing is. Other tests leave the server more time: it waits for a busy disk at every write.
    private static readonly TimeSpan Timeout = new RedisStoreOptions().Timeout;

    // Time-outs are exact to the timer; the rest is room for a busy build machine.
    private static readonly TimeSpan Soon = Timeout + TimeSpan.FromSeconds(2);

    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");
    private RedisServer _server = null!;
    private RedisDeviceStore _store = null!;
    private DeviceRegistry _registry = null!;

    public async Task InitializeAsync()
    {
        _server = await RedisServer.StartAsync();
        _store = OpenAt(_server, TimeSpan.FromSeconds(10));
        _registry = new DeviceRegistry(_store);
        await PairAsync(_claim);
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task Acknowledged_changes_survive_a_kill()
    {
        var paired = new List<DeviceClaim>();
        for (int i = 0; i < 50; i++)
        {
            paired.Add(Some.Claim("operator", "operator.read"));
            await PairAsync(paired[^1]);
        }

        await _server.KillAsync();
        await ShouldFailAsync(() => _registry.AdmitAsync(_claim, Some.Origin, Some.Rules, None).AsTask());
        await _server.RestartAsync();
        await RecoversAsync("a kill and restart");

        foreach (DeviceClaim claim in paired)
        {
            (await _registry.AdmitAsync(claim, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();
        }

        (await _registry.ListDevicesAsync(cursor: null, 100, None)).Items.Count.ShouldBe(51);
    }

    [Fact]
    public async Task Writers_in_the_middle_of_a_kill_lose_nothing_acknowledged()
    {
        var acknowledged = new List<DeviceClaim>();
        Task writer = Task.Run(async () =>
        {
            try
            {
                while (true)
                {
                    DeviceClaim claim = Some.Claim("operator", "operator.read");
                    await PairAsync(claim);
                    acknowledged.Add(claim);
                }
            }
            catch (RegistryUnavailableException)
            {
                // the kill
            }
        });
        await Eventually.HoldsAsync(() => Task.FromResult(acknowledged.Count > 20), "devices are being paired");

        await _server.KillAsync();
        await writer.WaitAsync(Eventually.Patience);
        await _server.RestartAsync();
        await RecoversAsync("a kill in the middle of writes");

        foreach (DeviceClaim claim in acknowledged)
        {
            (await _registry.AdmitAsync(claim, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();
        }
    }

    [Fact]
    public async Task A_server_that_hangs_is_unavailable_within_the_time_out_and_recovers()
    {
        await using RedisDeviceStore hasty = OpenAt(_server, Timeout);
        await Eventually.HoldsAsync(() => AnswersAsync(hasty), "connected");
        await _server.StopAsync();
        var took = new List<TimeSpan>();
        for (int i = 0; i < 2; i++)
        {
            took.Add(await ShouldFailAsync(() => hasty.GetAsync(_claim.Device, None).AsTask()));
            took.Add(await ShouldFailAsync(() => new DeviceRegistry(hasty).AdmitAsync(Some.Claim(), Some.Origin, Some.Rules, None).AsTask()));
            took.Add(await ShouldFailAsync(() => hasty.ListDevicesAsync(cursor: null, 10, None).AsTask()));
            took.Add(await ShouldFailAsync(() => hasty.ListOpenRequestsAsync(cursor: null, 10, None).AsTask()));
            took.Add(await ShouldFailAsync(() => hasty.PingAsync(None).AsTask()));
        }

        await _server.ContinueAsync();

        output.WriteLine($"While it hung, calls failed after (ms): {string.Join(", ", took.Select(t => t.TotalMilliseconds.ToString("F0")))}");
        await RecoversAsync("SIGSTOP and SIGCONT", hasty);
    }

    [Fact]
    public async Task Requests_written_when_the_server_hung_are_seen_by_operators()
    {
        await using RedisDeviceStore hasty = OpenAt(_server, Timeout);
        var registry = new DeviceRegistry(hasty);
        DeviceClaim[] claims = [.. Enumerable.Range(0, 200).Select(_ => Some.Claim())];
        Task[] asks = [.. claims.Select(claim => Task.Run(() => registry.AdmitAsync(claim, Some.Loopback, Some.Rules, None).AsTask()))];
        await Task.WhenAny(asks); // some have been written, some have not, some are on their way
        await _server.StopAsync();
        await Task.WhenAll(asks).ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(Eventually.Patience);
        await _server.ContinueAsync();
        await RecoversAsync("a hang in the middle of writes");

        output.WriteLine($"{asks.Count(a => a.IsFaulted)} of {asks.Length} asks failed.");
        asks.Where(a => a.IsFaulted).ShouldAllBe(a => a.Exception!.InnerException is RegistryUnavailableException);
        await Eventually.HoldsAsync(AreThoseThatAreWrittenListedAsync, "what is written is listed"); // a write that the server got before it hung may be made only now

        async Task<bool> AreThoseThatAreWrittenListedAsync()
        {
            var listed = (await _store.ListOpenRequestsAsync(cursor: null, 1000, None)).Items.Select(r => r.DeviceId).ToHashSet();
            foreach (DeviceClaim claim in claims)
            {
                bool written = (await _store.GetAsync(claim.Device, None)).Record is not null;
                if (listed.Contains(claim.Device) != written)
                    return false;
            }

            return true;
        }
    }

    [Fact]
    public async Task A_store_opens_while_the_server_is_down()
    {
        await using RedisServer away = await RedisServer.StartAsync(started: false);
        await using RedisDeviceStore store = OpenAt(away, Timeout);
        await ShouldFailAsync(() => store.GetAsync(_claim.Device, None).AsTask());

        await away.RestartAsync();
        TimeSpan took = await Eventually.HoldsAsync(() => AnswersAsync(store), "the store answers once the server is there");

        output.WriteLine($"Answers {took.TotalMilliseconds:F0} ms after the server's first start.");
        took.ShouldBeLessThan(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task Outages_are_logged_without_passwords()
    {
        await using RedisServer server = await RedisServer.StartAsync(started: false);
        var log = new ListLogger();
        await using var store = new RedisDeviceStore(new RedisStoreOptions { Configuration = $"{server.EndPoint},password=hunter2" }, log);
        await Eventually.HoldsAsync(() => Task.FromResult(log.Contains("cannot be reached yet")), "the log says that Redis is away");
        await ShouldFailAsync(() => store.PingAsync(None).AsTask());

        await server.RestartAsync("--requirepass", "hunter2");
        await Eventually.HoldsAsync(() => AnswersAsync(store), "the store answers");
        await server.KillAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(log.Contains("cannot be reached (")), "the log says that Redis was lost");
        await server.RestartAsync("--requirepass", "hunter3"); // wrong for the store
        await ShouldFailAsync(() => store.PingAsync(None).AsTask());
        await server.RestartAsync("--requirepass", "hunter2");
        await Eventually.HoldsAsync(() => AnswersAsync(store), "the store answers");
        await Eventually.HoldsAsync(() => Task.FromResult(log.Contains("answers again")), "the log says that Redis is back");

        output.WriteLine(string.Join('\n', log.Lines));
        log.Contains("hunter").ShouldBeFalse();
        log.Lines.Count.ShouldBeLessThan(50, "a lost connection is no reason to flood the log");
    }

    [Fact]
    public async Task A_server_that_turns_replica_is_unavailable_until_it_is_primary_again()
    {
        await using ConnectionMultiplexer behind = await _server.ConnectAsync();
        await behind.GetDatabase().ExecuteAsync("REPLICAOF", "127.0.0.1", "1");
        await ShouldFailAsync(() => PairAsync(Some.Claim()));
        await ShouldFailAsync(() => _store.GetAsync(_claim.Device, None).AsTask()); // it may not have heard of a revocation

        await behind.GetDatabase().ExecuteAsync("REPLICAOF", "NO", "ONE");
        await RecoversAsync("READONLY");
        await PairAsync(Some.Claim());
    }

    [Fact]
    public async Task A_handshake_of_a_paired_device_is_one_command()
    {
        const int Handshakes = 200;
        await using ConnectionMultiplexer behind = await _server.ConnectAsync();
        await behind.GetServers().Single().ConfigResetStatisticsAsync();

        for (int i = 0; i < Handshakes; i++)
        {
            (await _registry.AdmitAsync(_claim, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();
        }

        Dictionary<string, long> calls = await CommandCallsAsync(behind);
        output.WriteLine(string.Join(", ", calls.Select(c => $"{c.Key}: {c.Value}")));
        calls["evalsha"].ShouldBe(Handshakes);
        calls["getex"].ShouldBe(Handshakes, "inside the script");
        calls["time"].ShouldBe(Handshakes, "inside the script");
        string[] upkeep = ["evalsha", "getex", "time", "ping", "info", "config|resetstat", "config|get", "echo", "cluster|nodes"];
        calls.Keys.ShouldBeSubsetOf(upkeep);
    }

    private sealed class ListLogger : ILogger<RedisDeviceStore>
    {
        public ConcurrentQueue<string> Lines { get; } = [];

        public bool Contains(string text) => Lines.Any(line => line.Contains(text, StringComparison.Ordinal));

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Enqueue($"{logLevel} {formatter(state, exception)} {exception}");
    }

    private static async Task<Dictionary<string, long>> CommandCallsAsync(ConnectionMultiplexer behind) =>
        (await behind.GetServers().Single().InfoAsync("commandstats")).SelectMany(group => group).ToDictionary(
            pair => pair.Key["cmdstat_".Length..],
            pair => long.Parse(pair.Value["calls=".Length..pair.Value.IndexOf(',')], System.Globalization.CultureInfo.InvariantCulture));

    private static async Task<TimeSpan> ShouldFailAsync(Func<Task> call)
    {
        long started = Stopwatch.GetTimestamp();
        await Should.ThrowAsync<RegistryUnavailableException>(call);
        TimeSpan took = Stopwatch.GetElapsedTime(started);
        took.ShouldBeLessThan(Soon);
        return took;
    }

    private static async Task<bool> AnswersAsync(RedisDeviceStore store)
    {
        try
        {
            await store.GetAsync(Some.Claim().Device, None);
            return true;
        }
        catch (RegistryUnavailableException)
        {
            return false;
        }
    }

    private static RedisDeviceStore OpenAt(RedisServer server, TimeSpan timeout) => new(
        new RedisStoreOptions { Configuration = server.EndPoint, Timeout = timeout }, NullLogger<RedisDeviceStore>.Instance);

    private async Task RecoversAsync(string from, RedisDeviceStore? store = null)
    {
        TimeSpan took = await Eventually.HoldsAsync(() => AnswersAsync(store ?? _store), $"the store answers after {from}");
        output.WriteLine($"Answers {took.TotalMilliseconds:F0} ms after {from}.");
        took.ShouldBeLessThan(TimeSpan.FromSeconds(5));
        (await _registry.AdmitAsync(_claim, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>("an approved device stays approved");
    }

    private async Task PairAsync(DeviceClaim claim)
    {
        Admission admission = await _registry.AdmitAsync(claim, Some.Origin, Some.Rules, None);
        RequestId id = admission.ShouldBeOfType<Admission.Refused>().Request.Id;
        (await _registry.ApproveAsync(id, scopes: null, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
    }
}
