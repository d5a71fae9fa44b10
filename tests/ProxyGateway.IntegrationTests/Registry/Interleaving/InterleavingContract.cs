using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry.Interleaving;

/// <summary>
/// Several gateways approve, reject, remove and ask for the same devices at once, in every order that seeds come up with, and die in the middle
/// of it. <c>PROXYGATEWAY_TEST_INTERLEAVINGS</c> says how many seeds are tried; <c>PROXYGATEWAY_TEST_SEED</c> tries one of them.
/// </summary>
public abstract class InterleavingContract(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private static readonly int Seeds = int.Parse(
        Environment.GetEnvironmentVariable("PROXYGATEWAY_TEST_INTERLEAVINGS") ?? "300", CultureInfo.InvariantCulture);

    public abstract Task InitializeAsync();

    public abstract Task DisposeAsync();

    [Fact]
    public async Task Every_interleaving_of_steps_keeps_every_change_and_invents_none()
    {
        int first = Environment.GetEnvironmentVariable("PROXYGATEWAY_TEST_SEED") is { Length: > 0 } seed ? int.Parse(seed, CultureInfo.InvariantCulture) : 0;
        int last = first == 0 ? Seeds : first;
        (int steps, int swaps, int conflicts, int deaths) = (0, 0, 0, 0);
        for (int i = first == 0 ? 1 : first; i <= last; i++)
        {
            var plan = Plan.Of(i);
            (Exception? failure, Scheduler scheduler, History history) = await TryAsync(plan);
            if (failure is not null)
                await FailAsync(plan, failure);
            steps += scheduler.Steps;
            swaps += history.Performances.Sum(p => p.Attempts.Count(a => a.Result == SwapResult.Swapped));
            conflicts += history.Performances.Sum(p => p.Attempts.Count(a => a.Result == SwapResult.Conflict));
            deaths += Enumerable.Range(0, plan.Gateways).Count(scheduler.IsDead);
        }

        output.WriteLine($"{last} interleavings: {steps} steps, {swaps} swaps, {conflicts} conflicts, {deaths} gateways died.");
        if (first == 0)
            (swaps > last && conflicts > last / 10 && deaths > last / 100).ShouldBeTrue("they get into each other's way");
    }

    [Fact]
    public async Task Concurrent_gateways_keep_every_change_and_invent_none()
    {
        var plan = Plan.Of(Environment.TickCount, gateways: 6, operationsOfEach: 100);
        plan = plan with { IsShortLived = false, Operations = plan.Operations.RemoveAll(d => d.Kind == OperationKind.Pass) };
        output.WriteLine($"seed {plan.Seed}, {plan.Devices} devices");
        History history = Begin(plan);

        await RunAsync(plan, history, scheduler: null);
        await CheckAsync(history);
    }

    [Fact]
    public async Task Concurrent_changes_of_one_device_are_all_kept()
    {
        const int Writers = 16;
        const int WritesOfEach = 8;
        var attempts = new ConcurrentBag<int>();
        int refused = 0;
        var plan = Plan.Of(1) with { Gateways = Writers };
        History history = Begin(plan);
        IDeviceStore[] stores = await OpenAsync(Writers, scheduler: null);
        long started = Stopwatch.GetTimestamp();

        // Each asks for a scope of its own, which a rule approves: every one of them has to write.
        await Task.WhenAll(stores.Select((store, gateway) => Task.Run(async () =>
        {
            for (int i = 0; i < WritesOfEach; i++)
            {
                Performance performance = history.Begin(new Operation(gateway, OperationKind.Connect, 0, "operator", ScopeSet.Of($"{gateway}.{i}"), FromLoopback: true, Pick: 0));
                var registry = new DeviceRegistry(new RecordingStore(store, turn: null, NowAsync) { By = performance });
                try
                {
                    (await registry.AdmitAsync(performance.Claim, performance.Origin, history.Rules, None)).ShouldBeOfType<Admission.Admitted>();
                }
                catch (RegistryUnavailableException)
                {
                    Interlocked.Increment(ref refused);
                }

                attempts.Add(performance.Attempts.Count);
            }
        })));

        int[] sorted = [.. attempts.Order()];
        output.WriteLine($"{Writers} writers, {WritesOfEach} writes each, in {Stopwatch.GetElapsedTime(started).TotalMilliseconds:F0} ms; "
            + $"attempts: median {sorted[sorted.Length / 2]}, 99th of a hundred {sorted[sorted.Length * 99 / 100]}, most {sorted[^1]}; {refused} refused");
        refused.ShouldBe(0);
        DeviceRecord record = (await stores[0].GetAsync(history.Devices[0].Device, None)).Record!;
        record.ScopesOf("operator").Count.ShouldBe(Writers * WritesOfEach);
    }

    /// <summary>An empty store for each gateway, as they share it.</summary>
    internal abstract Task<IDeviceStore[]> OpenAsync(int gateways, Scheduler? scheduler);

    /// <summary>Whether a gateway's steps are the calls of its store; else the store takes care of that itself, in smaller ones.</summary>
    internal abstract bool StepsAreCalls { get; }

    /// <summary>A store that is in nobody's hands.</summary>
    internal abstract Task<IDeviceStore> OpenAfterwardsAsync();

    internal abstract Lifetimes ShortLifetimes { get; }

    internal abstract Task<DateTimeOffset> NowAsync();

    /// <summary>Some time passes, of which some things expire.</summary>
    internal abstract Task PassAsync();

    /// <summary>Whether the store forgets the document by itself.</summary>
    internal abstract Task<bool> ExpiresAsync(DeviceId device);

    private History Begin(Plan plan)
    {
        var policy = new PairingPolicy
        {
            AutoApprove = [new AutoApproveRule { Name = "loopback", FromLoopback = true, Reasons = [.. Enum.GetValues<PairingReason>()] }],
        };
        return new History(
            [.. Enumerable.Range(0, plan.Devices).Select(_ => Some.Claim())],
            new PairingRules(policy, plan.IsShortLived ? ShortLifetimes : Some.Lifetimes, PendingLimits.None));
    }

    private async Task<(Exception? Failure, Scheduler Scheduler, History History)> TryAsync(Plan plan)
    {
        var scheduler = new Scheduler(plan.Seed, plan.WithDeaths);
        History history = Begin(plan);
        try
        {
            await RunAsync(plan, history, scheduler);
            await CheckAsync(history);
            return (null, scheduler, history);
        }
        catch (Exception e) when (e is ShouldAssertException or RegistryUnavailableException or TimeoutException or InvalidOperationException)
        {
            return (e, scheduler, history);
        }
    }

    private async Task RunAsync(Plan plan, History history, Scheduler? scheduler)
    {
        IDeviceStore[] stores = await OpenAsync(plan.Gateways, scheduler);
        Func<Task>[] gateways =
        [
            .. stores.Select((store, number) =>
            {
                Func<Task<Fate>>? turn = scheduler is not null && StepsAreCalls ? () => scheduler.StepAsync(number) : null;
                var gateway = new Gateway(store, history, turn, NowAsync, PassAsync);
                return (Func<Task>)(() => WorkAsync(gateway, number));
            }),
        ];
        Task running = scheduler is null ? Task.WhenAll(gateways.Select(run => Task.Run(run))) : scheduler.RunAsync(gateways);
        await running.WaitAsync(4 * Eventually.Patience);

        async Task WorkAsync(Gateway gateway, int number)
        {
            foreach (Operation operation in plan.Operations.Where(d => d.Gateway == number))
            {
                if (scheduler is not null && await scheduler.StepAsync(number) != Fate.Lives)
                    return;
                try
                {
                    await gateway.DoAsync(operation);
                }
                catch (RegistryUnavailableException) when (scheduler?.IsDead(number) == true)
                {
                    return;
                }
            }
        }
    }

    private async Task CheckAsync(History history)
    {
        IDeviceStore store = await OpenAfterwardsAsync();
        var registry = new DeviceRegistry(store);
        var left = new List<DeviceRecord>();
        foreach (DeviceClaim device in history.Devices)
        {
            int start = history.Tick();
            StoredDevice stored = await store.GetAsync(device.Device, None);
            new HistoryCheck(history, device.Device, new Read(device.Device, stored.Record, stored.Now, start)).Check();
            if (stored.Record is not { } record)
                continue;
            left.Add(record);
            if (record.IsListed)
                (await ExpiresAsync(device.Device)).ShouldBeFalse("an approved or blocked device's document has no expiry");
        }

        (await registry.ListDevicesAsync(cursor: null, 100, None)).Items.Select(r => r.Id).ShouldBe(
            left.Where(r => r.IsListed).Select(r => r.Id), ignoreOrder: true, "who is paired or blocked is listed, whoever died");
        RequestId[] listed = [.. (await registry.ListOpenRequestsAsync(cursor: null, 100, None)).Items.Select(r => r.Id)];
        DateTimeOffset now = await NowAsync();
        PairingRequest[] open = [.. left.SelectMany(r => r.Requests).Where(r => r.Status == PairingRequestStatus.Open)];
        listed.ShouldBeSubsetOf(open.Select(r => r.Id), "what is resolved is not listed");
        open.Where(r => r.IsOpen(now)).Select(r => r.Id).ShouldBeSubsetOf(listed, "what is open is listed, whoever died");
        var after = new Gateway(store, history, turn: null, NowAsync, PassAsync);
        foreach ((PairingRequest Request, DateTimeOffset At) told in history.Told)
        {
            await after.FindAsync(registry, told);
        }
    }

    /// <summary>Leaves out one operation after the other while it still fails, and says what is left.</summary>
    private async Task FailAsync(Plan plan, Exception failure)
    {
        for (int i = plan.Operations.Length - 1; i >= 0; i--)
        {
            Plan smaller = plan with { Operations = plan.Operations.RemoveAt(i) };
            if ((await TryAsync(smaller)).Failure is { } same)
                (plan, failure) = (smaller, same);
        }

        throw new InvalidOperationException($"PROXYGATEWAY_TEST_SEED={plan.Seed} fails; with these operations alone too:\n{plan}\n{failure}", failure);
    }
}
