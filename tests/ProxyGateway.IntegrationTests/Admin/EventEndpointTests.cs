using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.ServerSentEvents;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.IntegrationTests.Registry;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>A listener hears of each event as it happens, at any gateway, and notices when it has missed one.</summary>
public sealed class EventEndpointTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_request_is_an_event_when_it_is_made_and_when_it_is_decided()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();
        await using Listener listener = await Listener.OpenAsync(admin, TestAdmin.Viewer);
        (await listener.NextAsync()).EventType.ShouldBe("ready");

        long asked = Stopwatch.GetTimestamp();
        PairingRequest request = await admin.AskAsync(Some.Claim("operator", "operator.read"));
        SseItem<string> opened = await listener.NextAsync();
        output.WriteLine($"told {Stopwatch.GetElapsedTime(asked).TotalMilliseconds:F0} ms after the ask");
        await admin.PostAsync($"/admin/v1/requests/{request.Id}/approve");
        SseItem<string> approved = await listener.NextAsync();

        opened.EventType.ShouldBe("request-opened");
        JsonElement entry = JsonDocument.Parse(opened.Data).RootElement;
        entry.GetProperty("id").GetString().ShouldBe(opened.EventId);
        entry.GetProperty("requestId").GetString().ShouldBe(request.Id.ToString());
        entry.GetProperty("scopes").EnumerateArray().Single().GetString().ShouldBe("operator.read");
        approved.EventType.ShouldBe("request-approved");
        JsonDocument.Parse(approved.Data).RootElement.GetProperty("operator").GetString().ShouldBe("ops");
        (await admin.GetAsync("/admin/v1/audit")).Json.GetProperty("items")[0].GetRawText().ShouldBe(approved.Data);
    }

    [Fact]
    public async Task A_client_that_reconnects_gets_the_missed_events_and_none_twice()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();
        string last;
        await using (Listener listener = await Listener.OpenAsync(admin))
        {
            await listener.NextAsync();
            await admin.AskAsync(Some.Claim());
            last = (await listener.NextAsync()).EventId!;
        }

        PairingRequest missed = await admin.AskAsync(Some.Claim());
        await using Listener again = await Listener.OpenAsync(admin, lastEventId: last);
        SseItem<string> first = await again.NextAsync();
        PairingRequest next = await admin.AskAsync(Some.Claim());
        SseItem<string> second = await again.NextAsync();

        first.EventType.ShouldBe("request-opened");
        first.Data.ShouldContain(missed.Id.ToString());
        second.Data.ShouldContain(next.Id.ToString());
        long.Parse(second.EventId!, CultureInfo.InvariantCulture).ShouldBeGreaterThan(long.Parse(first.EventId!, CultureInfo.InvariantCulture));
    }

    [Fact]
    public async Task A_client_that_missed_events_which_are_no_longer_kept_gets_a_gap()
    {
        using var folder = new TemporaryFolder();
        SqliteDeviceStore store = SqliteDeviceStore.Open(
            new SqliteStoreOptions { Path = Path.Combine(folder.Path, "registry.db"), AuditEntries = 2 }, TimeProvider.System);
        await using TestAdmin admin = await TestAdmin.StartAsync(store);
        string last;
        await using (Listener listener = await Listener.OpenAsync(admin))
        {
            await listener.NextAsync();
            await admin.AskAsync(Some.Claim());
            last = (await listener.NextAsync()).EventId!;
        }

        for (int i = 0; i < 10; i++)
            await admin.AskAsync(Some.Claim());
        await Eventually.HoldsAsync(async () => !(await store.ReadAfterAsync(long.Parse(last, CultureInfo.InvariantCulture), 10, default)).IsComplete, "some are dropped");
        await using Listener again = await Listener.OpenAsync(admin, lastEventId: last);

        (await again.NextAsync()).EventType.ShouldBe("gap");
        (await again.NextAsync()).EventType.ShouldBe("request-opened");
    }

    [Fact]
    public async Task Events_of_another_gateway_are_sent_too()
    {
        await using RedisServer redis = await RedisServer.StartAsync();
        var options = new RedisStoreOptions { Configuration = redis.EndPoint };
        await using TestAdmin here = await TestAdmin.StartAsync(new RedisDeviceStore(options, NullLogger<RedisDeviceStore>.Instance));
        await using TestAdmin there = await TestAdmin.StartAsync(new RedisDeviceStore(options, NullLogger<RedisDeviceStore>.Instance));
        await using Listener listener = await Listener.OpenAsync(here);
        await listener.NextAsync();

        PairingRequest request = await there.AskAsync(Some.Claim());

        (await listener.NextAsync()).Data.ShouldContain(request.Id.ToString());
    }

    [Fact]
    public async Task A_stream_survives_an_outage_of_the_registry()
    {
        await using RedisServer redis = await RedisServer.StartAsync();
        var options = new RedisStoreOptions { Configuration = redis.EndPoint, Timeout = TimeSpan.FromSeconds(1) };
        await using TestAdmin admin = await TestAdmin.StartAsync(new RedisDeviceStore(options, NullLogger<RedisDeviceStore>.Instance));
        await using Listener listener = await Listener.OpenAsync(admin);
        await listener.NextAsync();

        await redis.KillAsync();
        await Eventually.HoldsAsync(async () => (await admin.GetAsync("/readyz", key: null)).Status == 503, "the registry is away");
        await redis.RestartAsync();
        await Eventually.HoldsAsync(async () => (await admin.GetAsync("/readyz", key: null)).Status == 200, "the registry is back");
        PairingRequest request = await admin.AskAsync(Some.Claim());

        (await listener.NextAsync()).Data.ShouldContain(request.Id.ToString());
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("one")]
    [InlineData("99999999999999999999")]
    public async Task An_invalid_Last_Event_ID_is_refused(string lastEventId)
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();
        Answer answer = await admin.SendAsync(HttpMethod.Get, "/admin/v1/events", configure: r => r.Headers.Add("Last-Event-ID", lastEventId));
        answer.ShouldBeProblem(400, "invalid-request");
    }

    [Fact]
    public async Task A_stream_needs_a_key_an_audit_and_a_registry()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();
        (await admin.GetAsync("/admin/v1/events", key: null)).ShouldBeProblem(401, "unauthorized");
        await using TestAdmin off = await TestAdmin.StartAsync(new FailingStore(() => new RegistryUnavailableException("away")));
        (await off.GetAsync("/admin/v1/events")).ShouldBeProblem(404, "audit-off");
    }

    [Fact]
    public async Task One_key_cannot_use_up_the_streams_of_another_and_an_ended_stream_frees_its_place()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();
        var ofViewer = new List<Listener>();
        for (int i = 0; i < EventStreams.MostOfKey; i++)
            ofViewer.Add(await Listener.OpenAsync(admin, TestAdmin.Viewer));

        Answer refused = await admin.GetAsync("/admin/v1/events", TestAdmin.Viewer);
        refused.ShouldBeProblem(429, "too-many-streams");
        refused.Json.GetProperty("detail").GetString()!.ShouldContain("At most 8 streams of events are open with one key");
        await using Listener ofApprover = await Listener.OpenAsync(admin, TestAdmin.Approver);
        (await ofApprover.NextAsync()).EventType.ShouldBe("ready");

        var streams = admin.Services.GetRequiredService<EventStreams>();
        await ofViewer[0].DisposeAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(streams.Count == EventStreams.MostOfKey), "one has ended");
        await using (Listener again = await Listener.OpenAsync(admin, TestAdmin.Viewer))
        {
            (await again.NextAsync()).EventType.ShouldBe("ready");
        }

        foreach (Listener listener in ofViewer.Skip(1))
            await listener.DisposeAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(streams.Count == 1), "all but the approver's have ended");
    }

    [Fact]
    public async Task The_stream_of_a_client_that_does_not_read_ends()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        await using TestAdmin admin = await TestAdmin.StartAsync(configure: s => s.AddSingleton<TimeProvider>(time));
        var streams = admin.Services.GetRequiredService<EventStreams>();
        var audit = admin.Services.GetRequiredService<IAuditStore>();
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(IPAddress.Loopback, admin.Client.BaseAddress!.Port);
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            $"GET /admin/v1/events HTTP/1.1\r\nHost: {admin.Client.BaseAddress.Authority}\r\nAuthorization: Bearer {TestAdmin.Viewer}\r\nLast-Event-ID: 0\r\n\r\n"));
        await Eventually.HoldsAsync(() => Task.FromResult(streams.Count == 1), "it listens");

        // More than the buffers between hold.
        AuditEntry large = new() { Kind = AuditKinds.DeviceRefused, Reason = new string('x', 100_000) };
        await audit.AppendAsync(new AuditBatch("large", 1, [.. Enumerable.Repeat(large, 200)]), default);

        await Eventually.HoldsAsync(
            () =>
            {
                time.Advance(TimeSpan.FromMilliseconds(500));
                return Task.FromResult(streams.Count == 0);
            },
            "its stream is over");
    }

    [Fact]
    public void The_number_of_streams_in_all_is_bounded()
    {
        var streams = new EventStreams();
        for (int i = 0; i < EventStreams.Most; i++)
            streams.Enter($"key-{i / EventStreams.MostOfKey}").ShouldBeNull();

        streams.Enter("another").ShouldBe(AdminProblems.TooManyStreams);
        streams.Enter("key-0").ShouldBe(AdminProblems.TooManyStreamsOfKey);
        streams.Leave("key-0");
        streams.Enter("another").ShouldBeNull();
    }

    private sealed class TemporaryFolder : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("events-");

        public string Path => _folder.FullName;

        public void Dispose() => _folder.Delete(recursive: true);
    }

    private sealed class Listener : IAsyncDisposable
    {
        private readonly HttpResponseMessage _response;
        private readonly IAsyncEnumerator<SseItem<string>> _items;

        private Listener(HttpResponseMessage response, Stream stream)
        {
            _response = response;
            _items = SseParser.Create(stream).EnumerateAsync().GetAsyncEnumerator();
        }

        public static async Task<Listener> OpenAsync(TestAdmin admin, string key = TestAdmin.Approver, string? lastEventId = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/admin/v1/events");
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
            if (lastEventId is not null)
                request.Headers.Add("Last-Event-ID", lastEventId);
            HttpResponseMessage response = await admin.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            response.StatusCode.ShouldBe(HttpStatusCode.OK);
            response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
            return new Listener(response, await response.Content.ReadAsStreamAsync());
        }

        public async Task<SseItem<string>> NextAsync()
        {
            (await _items.MoveNextAsync().AsTask().WaitAsync(Eventually.Patience)).ShouldBeTrue();
            return _items.Current;
        }

        public ValueTask DisposeAsync()
        {
            _response.Dispose(); // and whatever is being read ends with it
            return ValueTask.CompletedTask;
        }
    }
}
