using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.IntegrationTests.Registry;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>Anybody may ask whether the gateway is ready: that must cost the registry and the log nothing, and tell nobody more than it should.</summary>
public sealed class ReadinessTests : IDisposable
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly PingedStore _store = new();
    private readonly CapturedLog _log = new();

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task The_registry_is_asked_once_a_second_for_any_number_of_requests()
    {
        await using TestAdmin admin = await StartAsync();
        TaskCompletionSource held = _store.Hold();

        Task<Answer>[] asking = [.. Enumerable.Range(0, 50).Select(_ => admin.GetAsync("/readyz", key: null))];
        await Eventually.HoldsAsync(() => Task.FromResult(_store.Pings == 1), "the registry is asked");
        held.SetResult();
        foreach (Answer answer in await Task.WhenAll(asking))
            answer.Status.ShouldBe(200);
        for (int i = 0; i < 20; i++)
            (await admin.GetAsync("/readyz", key: null)).Status.ShouldBe(200);
        _store.Pings.ShouldBe(1);

        _time.Advance(TimeSpan.FromSeconds(1));
        (await admin.GetAsync("/readyz", key: null)).Status.ShouldBe(200);
        _store.Pings.ShouldBe(2);
    }

    [Fact]
    public async Task A_failure_is_shared_logged_once_and_over_when_the_registry_is_back()
    {
        await using TestAdmin admin = await StartAsync();
        (await admin.GetAsync("/readyz", key: null)).Status.ShouldBe(200);
        _store.Failure = new RegistryUnavailableException("secret host") { Fault = RegistryFault.NotReachable };

        for (int second = 0; second < 3; second++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            for (int i = 0; i < 10; i++)
            {
                Answer answer = await admin.GetAsync("/readyz", key: null);
                answer.ShouldBeProblem(503, "registry-unavailable");
                answer.Json.GetProperty("detail").GetString().ShouldBe("The registry's server is not reachable.");
                answer.Headers["Retry-After"].ShouldBe("1");
            }
        }

        _store.Pings.ShouldBe(4);
        _log.Of(1511).ShouldHaveSingleItem();
        _log.Of(304).ShouldBeEmpty();
        _store.Failure = null;
        _time.Advance(TimeSpan.FromSeconds(1));
        (await admin.GetAsync("/readyz", key: null)).Status.ShouldBe(200);
        _log.Of(1512).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task An_unexpected_failure_is_not_ready_and_not_remembered()
    {
        await using TestAdmin admin = await StartAsync();
        _store.Failure = new InvalidOperationException("secret");

        Answer answer = await admin.GetAsync("/readyz", key: null);

        answer.ShouldBeProblem(503, "registry-unavailable");
        answer.Text.ShouldNotContain("secret");
        _log.Of(1513).ShouldHaveSingleItem();
        _store.Failure = null;
        _time.Advance(TimeSpan.FromSeconds(1));
        (await admin.GetAsync("/readyz", key: null)).Status.ShouldBe(200);
    }

    [Fact]
    public async Task A_client_that_leaves_does_not_cancel_the_answer_of_others()
    {
        await using TestAdmin admin = await StartAsync();
        TaskCompletionSource held = _store.Hold();
        using var leaving = new CancellationTokenSource();
        Task<HttpResponseMessage> first = admin.Client.GetAsync("/readyz", leaving.Token);
        await Eventually.HoldsAsync(() => Task.FromResult(_store.Pings == 1), "the registry is asked");
        Task<Answer> second = admin.GetAsync("/readyz", key: null);

        await leaving.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => first);
        held.SetResult();

        (await second).Status.ShouldBe(200);
        _store.Pings.ShouldBe(1);
    }

    [Fact]
    public async Task A_gateway_without_announcements_is_not_ready_and_logs_it_once()
    {
        await using TestAdmin admin = await StartAsync();
        _time.Advance(new FreshnessOptions().StalenessLimit);

        Answer answer = await admin.GetAsync("/readyz", key: null);

        answer.ShouldBeProblem(503, "registry-unavailable");
        answer.Json.GetProperty("detail").GetString().ShouldBe("Changes of the registry have not been heard of for too long.");
        _log.Of(304).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_refused_password_and_an_unreachable_Redis_are_reported_differently()
    {
        await using RedisServer server = await RedisServer.StartAsync(started: true, ["--requirepass", "hunter2"]);
        var options = new RedisStoreOptions { Configuration = $"{server.EndPoint},password=hunter3" };
        await using TestAdmin admin = await TestAdmin.StartAsync(new RedisDeviceStore(options, NullLogger<RedisDeviceStore>.Instance));

        await SaysAsync("The registry's server refuses the user or the password.");
        await server.KillAsync();
        await SaysAsync("The registry's server is not reachable.");

        async Task SaysAsync(string detail) => await Eventually.HoldsAsync(
            async () =>
            {
                Answer answer = await admin.GetAsync("/readyz", key: null);
                answer.ShouldBeProblem(503, "registry-unavailable");
                answer.Text.ShouldNotContain("127.0.0.1");
                return answer.Json.GetProperty("detail").GetString() == detail;
            },
            detail);
    }

    private Task<TestAdmin> StartAsync() => TestAdmin.StartAsync(_store, configure: services => services
        .AddSingleton<TimeProvider>(_time)
        .AddSingleton(new RegistryFreshness(new FreshnessOptions(), _time))
        .AddLogging(logging => logging.AddProvider(_log)));

    private sealed class PingedStore() : DelegatingStore(new FailingStore(() => new NotSupportedException()))
    {
        private TaskCompletionSource? _held;
        private int _pings;

        public int Pings => Volatile.Read(ref _pings);

        public Exception? Failure { get; set; }

        public TaskCompletionSource Hold() => _held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public override async ValueTask PingAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _pings);
            if (_held is { } held)
                await held.Task.WaitAsync(cancellationToken);
            if (Failure is { } failure)
                throw failure;
        }
    }
}
