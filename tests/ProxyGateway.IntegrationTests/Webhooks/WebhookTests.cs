using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.IntegrationTests.Webhooks;

/// <summary>What happens is told once, in order and signed, to the configured address and nowhere else; and nobody waits for it.</summary>
public sealed class WebhookTests : IAsyncLifetime, IDisposable
{
    private readonly byte[] _secret = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 22, 10, 0, 0, TimeSpan.Zero));
    private readonly CountedDrops _dropped = new("proxygateway.webhook.dropped");
    private readonly CapturedLog _log = new();
    private readonly LoggerFactory _loggers;
    private readonly List<WebhookDispatcher> _dispatchers = [];
    private readonly List<ServiceProvider> _services = [];
    private WebhookReceiver _receiver = null!;

    public WebhookTests() => _loggers = new LoggerFactory([_log]);

    public async Task InitializeAsync() => _receiver = await WebhookReceiver.StartAsync();

    public async Task DisposeAsync()
    {
        foreach (ServiceProvider services in _services)
            await services.DisposeAsync();
        await _receiver.DisposeAsync();
    }

    public void Dispose()
    {
        _loggers.Dispose();
        _dropped.Dispose();
    }

    [Fact]
    public async Task Events_are_sent_in_order_and_signed()
    {
        AuditLog audit = await StartAsync(Hook());

        for (int i = 0; i < 5; i++)
            audit.Enter(Entry($"role-{i}"));
        await _receiver.HasAsync(5);

        _receiver.Told.Select(t => t.Data.GetProperty("role").GetString()).ShouldBe(["role-0", "role-1", "role-2", "role-3", "role-4"]);
        _receiver.Told.Select(t => t.Id).ShouldBeUnique();
        foreach (Told told in _receiver.Told)
        {
            told.Path.ShouldBe("/hook");
            told.ShouldBeSignedBy(_secret);
            told.Timestamp.ShouldBe(_time.GetUtcNow().ToUnixTimeSeconds().ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    [Fact]
    public async Task Only_the_configured_kinds_are_sent()
    {
        AuditLog audit = await StartAsync(Hook() with { Events = [AuditKinds.DeviceRemoved] });

        audit.Enter(Entry("a"));
        audit.Enter(Entry("b") with { Kind = AuditKinds.DeviceRemoved });
        await _receiver.HasAsync(1);

        _receiver.Told.ShouldHaveSingleItem().Type.ShouldBe("device-removed");
        _dropped.Count.ShouldBe(0, "what is not asked for is not missed");
    }

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(429)]
    [InlineData(408)]
    public async Task A_failed_event_is_tried_again_with_the_same_id_before_later_ones(int status)
    {
        int failures = 3;
        _receiver.Answer = context =>
        {
            context.Response.StatusCode = Interlocked.Decrement(ref failures) >= 0 ? status : 204;
            return Task.CompletedTask;
        };
        AuditLog audit = await StartAsync(Hook());

        audit.Enter(Entry("first"));
        audit.Enter(Entry("second"));
        await PassUntilAsync(() => _receiver.Told.Count >= 5, "both are told");
        Told[] told = [.. _receiver.Told];
        told[..4].Select(t => t.Id).Distinct().ShouldHaveSingleItem("each attempt is of the same event");
        told[..4].Select(t => t.Timestamp).ShouldBeUnique("and has a time of its own");
        told[4].Data.GetProperty("role").GetString().ShouldBe("second");
        foreach (Told one in told)
            one.ShouldBeSignedBy(_secret);
        _dropped.Count.ShouldBe(0);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(404)]
    [InlineData(410)]
    public async Task A_refused_event_is_not_tried_again_and_delays_nothing(int status)
    {
        _receiver.Answer = context =>
        {
            context.Response.StatusCode = _receiver.Told.Count == 1 ? status : 204;
            return Task.CompletedTask;
        };
        AuditLog audit = await StartAsync(Hook());

        audit.Enter(Entry("first"));
        audit.Enter(Entry("second"));
        await _receiver.HasAsync(2);

        _receiver.Told.Select(t => t.Data.GetProperty("role").GetString()).ShouldBe(["first", "second"]);
        _dropped.Count.ShouldBe(1);
    }

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task A_redirect_is_not_followed(int status)
    {
        await using WebhookReceiver elsewhere = await WebhookReceiver.StartAsync();
        _receiver.Answer = context =>
        {
            context.Response.StatusCode = _receiver.Told.Count == 1 ? status : 204;
            context.Response.Headers.Location = elsewhere.Url.ToString();
            return Task.CompletedTask;
        };
        AuditLog audit = await StartAsync(Hook());

        audit.Enter(Entry("first"));
        audit.Enter(Entry("second"));
        await _receiver.HasAsync(2);

        elsewhere.Told.ShouldBeEmpty();
        _dropped.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_receiver_that_hangs_delays_neither_another_nor_the_gate()
    {
        var never = new TaskCompletionSource();
        await using WebhookReceiver hanging = await WebhookReceiver.StartAsync();
        hanging.Answer = context => never.Task.WaitAsync(context.RequestAborted);
        AuditLog audit = await StartAsync(Hook("hanging", hanging.Url), Hook());

        for (int i = 0; i < 20; i++)
            audit.Enter(Entry($"{i}"));
        await _receiver.HasAsync(20);

        hanging.Told.Count.ShouldBe(1);
        _time.Advance(Webhook.AnswerTimeout);
        await PassUntilAsync(() => hanging.Told.Count >= 2, "it is tried again");
        hanging.Told.Select(t => t.Id).Distinct().ShouldHaveSingleItem("it is tried again");
        never.SetResult();
    }

    [Fact]
    public async Task An_event_that_fails_for_too_long_is_dropped_and_the_next_is_sent()
    {
        _receiver.Answer = context =>
        {
            context.Response.StatusCode = _receiver.Told.Last().Data.GetProperty("role").GetString() == "poison" ? 500 : 204;
            return Task.CompletedTask;
        };
        AuditLog audit = await StartAsync(Hook());
        audit.Enter(Entry("poison"));
        audit.Enter(Entry("sound"));

        await PassUntilAsync(() => _receiver.Told.Any(t => t.Data.GetProperty("role").GetString() == "sound"), "the next is told");

        _dropped.Count.ShouldBe(1);
        _receiver.Told.Count(t => t.Data.GetProperty("role").GetString() == "poison").ShouldBeGreaterThan(3);
    }

    [Fact]
    public async Task An_event_without_room_is_dropped_and_counted_and_nobody_waits()
    {
        var never = new TaskCompletionSource();
        _receiver.Answer = context => never.Task.WaitAsync(context.RequestAborted);
        AuditLog audit = await StartAsync(Hook());
        audit.Enter(Entry("hangs"));
        await _receiver.HasAsync(1);

        for (int i = 0; i < Webhook.Capacity + 10; i++)
            audit.Enter(Entry($"{i}"));

        _dropped.Count.ShouldBe(10);
        never.SetResult();
    }

    [Fact]
    public async Task Strangers_events_neither_push_out_nor_delay_more_important_ones()
    {
        var go = new TaskCompletionSource();
        _receiver.Answer = async context =>
        {
            await go.Task.WaitAsync(context.RequestAborted);
            context.Response.StatusCode = 204;
        };
        AuditLog audit = await StartAsync(Hook());
        audit.Enter(Entry("on its way"));
        await _receiver.HasAsync(1);

        const int Flood = 3 * Webhook.Capacity;
        for (int i = 0; i < Flood; i++)
            audit.Enter(Entry("flood") with { Kind = AuditKinds.RefusalsLeftOut });
        for (int i = 0; i < 12; i++)
        {
            audit.Enter(Entry($"asks-{i}"));
            audit.Enter(Entry($"pairs-{i}") with { Kind = AuditKinds.DeviceAutoApproved });
            audit.Enter(Entry($"decided-{i}") with { Kind = AuditKinds.RequestApproved, Operator = "ops" });
        }

        go.SetResult();
        await _receiver.HasAsync(1 + 36 + Webhook.Capacity);

        _receiver.Told.Skip(1).Take(37).Select(t => t.Data.GetProperty("role").GetString()).ShouldBe(
        [
            .. Enumerable.Range(0, 12).Select(i => $"decided-{i}"), .. Enumerable.Range(0, 12).Select(i => $"pairs-{i}"),
            .. Enumerable.Range(0, 12).Select(i => $"asks-{i}"), "flood",
        ]);
        _dropped.Count.ShouldBe(Flood - Webhook.Capacity, "only of the flood");
    }

    [Fact]
    public async Task An_event_that_a_receiver_rejects_does_not_delay_more_important_ones()
    {
        _receiver.Answer = context =>
        {
            context.Response.StatusCode = _receiver.Told.Last().Data.GetProperty("role").GetString() == "poison" ? 500 : 204;
            return Task.CompletedTask;
        };
        AuditLog audit = await StartAsync(Hook());
        audit.Enter(Entry("poison"));
        await Eventually.HoldsAsync(() => Task.FromResult(_log.Of(1602).Any()), "it has failed");

        audit.Enter(Entry("after it"));
        audit.Enter(Entry("pairs") with { Kind = AuditKinds.DeviceAutoApproved });
        await _receiver.HasAsync(2); // and no time passes

        _receiver.Told.Select(t => t.Data.GetProperty("role").GetString()).ShouldBe(["poison", "pairs"]);
    }

    [Fact]
    public async Task A_stopping_gateway_sends_what_it_can_and_does_not_wait_for_the_rest()
    {
        AuditLog audit = await StartAsync(Hook());
        for (int i = 0; i < 50; i++)
            audit.Enter(Entry($"{i}"));

        await _dispatchers[0].StopAsync(default);
        _receiver.Told.Count.ShouldBe(50);

        var never = new TaskCompletionSource();
        _receiver.Answer = context => never.Task.WaitAsync(context.RequestAborted);
        AuditLog hanging = await StartAsync(Hook());
        for (int i = 0; i < 3; i++)
            hanging.Enter(Entry($"{i}"));
        await _receiver.HasAsync(51);
        Task stopping = _dispatchers[1].StopAsync(default);
        await PassUntilAsync(() => stopping.IsCompleted, "it stops");
        _dropped.Count.ShouldBe(3);
        never.SetResult();
    }

    [Fact]
    public async Task A_receiver_gets_its_events_once_it_is_reachable()
    {
        Uri url = _receiver.Url;
        await _receiver.DisposeAsync();
        AuditLog audit = await StartAsync(Hook("chat", url));
        audit.Enter(Entry("early"));
        await Eventually.HoldsAsync(() => Task.FromResult(_log.Of(1602).Any()), "it has failed");

        _receiver = await WebhookReceiver.StartAsync(url);
        await PassUntilAsync(() => !_receiver.Told.IsEmpty, "it is told");

        _dropped.Count.ShouldBe(0);
    }

    [Fact]
    public async Task A_handler_of_the_application_sees_each_delivery()
    {
        var seen = new Handler();
        AuditLog audit = await StartAsync(
            services => services.AddHttpClient(WebhookExtensions.HttpClientName("chat")).AddHttpMessageHandler(() => seen), Hook(), Hook("other"));

        audit.Enter(Entry("a"));
        await _receiver.HasAsync(2);

        (Uri? url, string id) = seen.Requests.ShouldHaveSingleItem("the other webhook has a client of its own");
        url.ShouldBe(_receiver.Url);
        Told told = _receiver.Told.Single(t => t.Id == id);
        told.ShouldBeSignedBy(_secret);
    }

    [Fact]
    public async Task A_handler_that_throws_costs_an_attempt_and_not_the_webhook()
    {
        var handler = new Handler { Failures = 2 };
        AuditLog audit = await StartAsync(
            services => services.AddHttpClient(WebhookExtensions.HttpClientName("chat")).AddHttpMessageHandler(() => handler), Hook());

        audit.Enter(Entry("a"));
        await PassUntilAsync(() => _receiver.Told.Count == 1, "it is told");

        _log.Of(1602).ShouldHaveSingleItem().ShouldContain("The handler fails.");
        _dropped.Count.ShouldBe(0);
    }

    [Fact]
    public async Task A_delivery_writes_no_address_to_the_log()
    {
        AuditLog audit = await StartAsync(Hook());

        audit.Enter(Entry("a"));
        await _receiver.HasAsync(1);

        _log.Lines.ShouldAllBe(line => !line.Text.Contains(_receiver.Url.AbsolutePath));
    }

    private WebhookOptions Hook(string name = "chat", Uri? url = null) => new() { Name = name, Url = url ?? _receiver.Url, Secret = [.. _secret] };

    private static AuditEntry Entry(string role) => new() { Kind = AuditKinds.RequestOpened, Role = role };

    /// <summary>Lets time pass, so that waiting tasks go on, until the condition holds.</summary>
    private Task<TimeSpan> PassUntilAsync(Func<bool> condition, string what) => Eventually.HoldsAsync(
        () =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return Task.FromResult(condition());
        },
        what);

    private Task<AuditLog> StartAsync(params WebhookOptions[] hooks) => StartAsync(_ => { }, hooks);

    private async Task<AuditLog> StartAsync(Action<IServiceCollection> configure, params WebhookOptions[] hooks)
    {
        IServiceCollection services = new ServiceCollection()
            .AddSingleton<TimeProvider>(_time).AddSingleton(_dropped.Meters).AddSingleton<ILoggerFactory>(_loggers).AddWebhooks(hooks, contentRoot: "/");
        configure(services);
        _services.Add(services.BuildServiceProvider());
        WebhookDispatcher dispatcher = _services[^1].GetRequiredService<WebhookDispatcher>();
        _dispatchers.Add(dispatcher);
        await dispatcher.StartAsync(default);
        return new AuditLog(_time, _dropped.Telemetry, NullLogger<AuditLog>.Instance, store: null, [dispatcher]);
    }

    private sealed class Handler : DelegatingHandler
    {
        public ConcurrentQueue<(Uri? Url, string Id)> Requests { get; } = [];

        public int Failures { get; set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (Failures-- > 0)
                throw new InvalidOperationException("The handler fails.");
            Requests.Enqueue((request.RequestUri, request.Headers.GetValues(WebhookMessage.IdHeader).Single()));
            return base.SendAsync(request, cancellationToken);
        }
    }
}
