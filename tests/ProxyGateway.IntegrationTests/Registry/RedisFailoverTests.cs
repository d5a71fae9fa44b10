using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Redis;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>
/// A gateway that knows of a primary and its replica, while the replica takes over: it finds the new primary by itself, and believes no old one.
/// A device that is removed at the new primary asks all the time, under a rule that would approve it if the removal were forgotten.
/// </summary>
public sealed class RedisFailoverTests(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly PairingRules Silent = Some.Rules with { Policy = PairingPolicy.Default };

    private readonly DeviceClaim _paired = Some.Claim("operator", "operator.read");
    private readonly DeviceClaim _removed = Some.Claim("operator", "operator.read");
    private Replication _redis = null!;
    private RedisDeviceStore _store = null!;
    private DeviceRegistry _gateway = null!;
    private long _wronglyAdmitted;
    private long _asked;

    public async Task InitializeAsync()
    {
        _redis = await Replication.StartAsync();
        await using RedisDeviceStore setUp = OpenAt(_redis.Primary.EndPoint);
        foreach (DeviceClaim claim in new[] { _paired, _removed })
            (await new DeviceRegistry(setUp).AdmitAsync(claim, Some.Loopback, Silent, None)).ShouldBeOfType<Admission.Admitted>();
        await Eventually.HoldsAsync(
            async () => (long)await _redis.Replica.ExecuteAsync("EXISTS", $"pg:{{{_paired.Device}}}", $"pg:{{{_removed.Device}}}") == 2, "the replica has them");
        _store = OpenAt(_redis.Configuration, new RedisStoreOptions().Timeout);
        _gateway = new DeviceRegistry(_store);
        await Eventually.HoldsAsync(async () => await TryAsync(_removed) is Admission.Admitted, "the gateway is connected");
    }

    public async Task DisposeAsync()
    {
        await _store.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task A_killed_primary_is_replaced()
    {
        await _redis.Primary.KillAsync();
        (await TryAsync(_paired)).ShouldBeNull();

        await TakeOverAsync();

        await FindsTheNewPrimaryAsync("a kill", () => Task.CompletedTask);
    }

    [Fact]
    public async Task A_demoted_primary_admits_nobody()
    {
        await _redis.Primary.ExecuteAsync("REPLICAOF", "127.0.0.1", "1"); // a replica that hears of nothing: as out of date as can be

        await TakeOverAsync();

        await FindsTheNewPrimaryAsync("a demotion", () => Task.CompletedTask);
    }

    [Fact]
    public async Task A_primary_that_hung_admits_nobody_when_it_continues()
    {
        await _redis.Primary.StopAsync();

        await TakeOverAsync();

        await FindsTheNewPrimaryAsync("a hang", async () =>
        {
            await _redis.Primary.ContinueAsync();
            await NobodyIsAdmittedAsync("two primaries answer");
            await Replication.FollowAsync(_redis.Primary, _redis.Replica);
        });
    }

    [Fact]
    public async Task An_old_primary_that_comes_back_admits_nobody()
    {
        await _redis.Primary.KillAsync();

        await TakeOverAsync();

        await FindsTheNewPrimaryAsync("a kill", async () =>
        {
            // A gateway that has not heard of the removal yet, and is cut off from the new primary at this very moment, could only believe the old one.
            await Eventually.HoldsAsync(async () => await TryAsync(_removed) is Admission.Refused, "the gateway has heard of the removal");
            await _redis.Primary.RestartAsync(); // with its data, as a primary
            await NobodyIsAdmittedAsync("two primaries answer");
            await using RedisDeviceStore fresh = OpenAt(_redis.Configuration);
            await Eventually.HoldsAsync(() => SeesTwoPrimariesAsync(fresh), "one that starts now is connected to both");
            await Replication.FollowAsync(_redis.Primary, _redis.Replica);
        });
    }

    [Fact]
    public async Task A_primary_that_comes_back_while_the_new_one_is_away_does_not_undo_a_removal()
    {
        await _redis.Primary.KillAsync();
        await TakeOverAsync();
        await Eventually.HoldsAsync(async () => await TryAsync(_removed) is Admission.Refused, "the gateway has heard of the removal");

        await _redis.Replica.KillAsync();
        await _redis.Primary.RestartAsync(); // with its data, as a primary, and nobody is there to contradict it
        await Eventually.HoldsAsync(async () => await TryAsync(_paired) is Admission.Admitted, "the gateway is connected to the old primary alone");

        (await AnswerAsync(_removed)).ShouldBeOfType<Admission.Refused>();
    }

    [Fact]
    public async Task A_primary_that_wants_replicas_decides_nothing_without_them()
    {
        await _redis.Primary.ExecuteAsync("CONFIG", "SET", "min-replicas-max-lag", "1");
        await _redis.Primary.ExecuteAsync("CONFIG", "SET", "min-replicas-to-write", "1");
        await Eventually.HoldsAsync(async () => await TryAsync(_paired) is Admission.Admitted, "with its replica it decides");

        await _redis.Replica.KillAsync();
        await NobodyIsAdmittedAsync("the primary misses its replica");
        await using (RedisDeviceStore patient = OpenAt(_redis.Primary.EndPoint))
            (await Should.ThrowAsync<RegistryUnavailableException>(async () => await patient.GetAsync(_paired.Device, None))).Message.ShouldContain("NOREPLICAS");

        await _redis.Replica.RestartAsync();
        await Replication.FollowAsync(_redis.Replica, _redis.Primary);
        await Eventually.HoldsAsync(async () => await TryAsync(_paired) is Admission.Admitted, "with its replica it decides");
    }

    private static RedisDeviceStore OpenAt(string configuration, TimeSpan? timeout = null) => new(
        new RedisStoreOptions { Configuration = configuration, Timeout = timeout ?? TimeSpan.FromSeconds(10) }, NullLogger<RedisDeviceStore>.Instance);

    /// <summary>Promotes the replica, and has an operator at another gateway remove the device there.</summary>
    private async Task TakeOverAsync()
    {
        await Replication.PromoteAsync(_redis.Replica);
        await using RedisDeviceStore other = OpenAt(_redis.Replica.EndPoint);
        (await new DeviceRegistry(other).RemoveAsync(_removed.Device, Some.Operator, Some.Rules, None)).ShouldBeTrue();
    }

    private async Task FindsTheNewPrimaryAsync(string after, Func<Task> then)
    {
        using var over = new CancellationTokenSource();
        Task asking = Task.Run(async () =>
        {
            while (!over.IsCancellationRequested)
            {
                if (await TryAsync(_removed) is Admission.Admitted)
                    Interlocked.Increment(ref _wronglyAdmitted);
                Interlocked.Increment(ref _asked);
                await Task.Delay(1);
            }
        });
        TimeSpan took = await Eventually.HoldsAsync(async () => await TryAsync(_paired) is Admission.Admitted, "the gateway finds the new primary");
        await then();
        TimeSpan tookAgain = await Eventually.HoldsAsync(async () => await TryAsync(_paired) is Admission.Admitted, "the gateway decides");
        await over.CancelAsync();
        await asking;

        output.WriteLine($"Found the new primary {took.TotalMilliseconds:F0} ms after {after} and the promotion, and {tookAgain.TotalMilliseconds:F0} ms after the last change.");
        output.WriteLine($"The removed device asked {_asked} times and was admitted {_wronglyAdmitted} times.");
        _wronglyAdmitted.ShouldBe(0);
        (await AnswerAsync(_removed)).ShouldBeOfType<Admission.Refused>();
    }

    private static async Task<bool> SeesTwoPrimariesAsync(RedisDeviceStore store)
    {
        try
        {
            await store.GetAsync(Some.Claim().Device, None);
            return false;
        }
        catch (RegistryUnavailableException e)
        {
            return e.Message.Contains("More than one primary", StringComparison.Ordinal);
        }
    }

    private async Task NobodyIsAdmittedAsync(string since)
    {
        long started = Stopwatch.GetTimestamp();
        await Eventually.HoldsAsync(async () => await TryAsync(_paired) is null, since);
        output.WriteLine($"Nobody was admitted {Stopwatch.GetElapsedTime(started).TotalMilliseconds:F0} ms after {since}.");
    }

    /// <summary>What becomes of a claim once the registry is available. A request is written for it, for which a primary may be too slow while it sends its data to a replica.</summary>
    private async Task<Admission> AnswerAsync(DeviceClaim claim)
    {
        Admission? answer = null;
        await Eventually.HoldsAsync(async () => (answer = await TryAsync(claim)) is not null, "the gateway decides about the claim");
        return answer!;
    }

    /// <summary>What becomes of a claim; null if the registry is unavailable.</summary>
    private async Task<Admission?> TryAsync(DeviceClaim claim)
    {
        try
        {
            return await _gateway.AdmitAsync(claim, Some.Loopback, Silent, None);
        }
        catch (RegistryUnavailableException)
        {
            return null;
        }
    }
}
