using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>A client without a valid key waits, and learns nothing; a client with one does not notice.</summary>
public sealed class KeyRefusalTests : IAsyncLifetime, IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly LogLines _log = new();
    private TestAdmin _admin = null!;

    private KeyRefusals Refusals => _admin.Services.GetRequiredService<KeyRefusals>();

    public async Task InitializeAsync() => _admin = await TestAdmin.StartAsync(configure: services =>
    {
        services.AddSingleton<TimeProvider>(_time);
        services.AddLogging(l => l.AddProvider(_log));
    });

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    public void Dispose() => _log.Dispose();

    [Fact]
    public async Task Repeated_failures_are_delayed_and_get_the_same_answer()
    {
        using HttpClient client = From("127.0.0.2");
        string[] atOnce = [.. await Task.WhenAll(Enumerable.Range(0, RefusalPace.AtOnce).Select(_ => TryAsync(client, "wrong")))];

        Task<string> held = TryAsync(client, "wrong");
        await HeldComesToAsync(1);
        held.IsCompleted.ShouldBeFalse();
        await LetTimePassUntilAsync(held);

        atOnce.Append(await held).Distinct().ShouldHaveSingleItem().ShouldStartWith("401");
    }

    [Fact]
    public async Task While_hundreds_of_refusals_wait_a_valid_key_does_not_wait()
    {
        var clients = new List<HttpClient>();
        var held = new List<Task<string>>();
        for (int a = 0; a < 20; a++)
        {
            HttpClient client = From($"127.0.1.{a + 1}");
            clients.Add(client);
            for (int i = 0; i < RefusalPace.AtOnce; i++)
                await TryAsync(client, "wrong");
            held.AddRange(Enumerable.Range(0, RefusalPace.MostHeldPerAddress).Select(i => TryAsync(client, i % 2 == 0 ? "wrong" : null)));
        }

        await HeldComesToAsync(20 * RefusalPace.MostHeldPerAddress);

        foreach (HttpClient client in clients)
        {
            (await TryAsync(client, TestAdmin.Viewer)).ShouldStartWith("200");
            string[] tooMany = [await TryAsync(client, "wrong"), await TryAsync(client, null), await TryAsync(client, TestAdmin.Viewer + "x")];
            tooMany.Distinct().ShouldHaveSingleItem().ShouldStartWith("429");
            tooMany[0].ShouldContain("Retry-After: 5");
            tooMany[0].ShouldContain("urn:proxygateway:problem:too-many-requests");
        }

        held.ShouldAllBe(h => !h.IsCompleted);
        await LetTimePassUntilAsync(Task.WhenAll(held));
        (await Task.WhenAll(held)).Distinct().ShouldHaveSingleItem().ShouldStartWith("401");
        await HeldComesToAsync(0);
        clients.ForEach(c => c.Dispose());
    }

    [Fact]
    public async Task A_missing_key_and_a_wrong_one_get_the_same_bytes()
    {
        string[] headers =
        [
            "", "Authorization: Bearer wrong\r\n", $"Authorization: Bearer {TestAdmin.Approver}x\r\n", "Authorization: Bearer \r\n",
            $"Authorization: Basic {TestAdmin.Approver}\r\n", $"Authorization: Bearer {TestAdmin.Approver}\r\nAuthorization: Bearer {TestAdmin.Approver}\r\n",
            $"Authorization: {TestAdmin.Approver}\r\n",
        ];
        foreach (string path in new[] { "/admin/v1/devices", "/nothing" })
        {
            string[] answers = [.. await Task.WhenAll(headers.Select((h, i) => RawAsync($"127.0.2.{i + 1}", path, h)))];
            answers.Distinct().ShouldHaveSingleItem().ShouldStartWith("HTTP/1.1 401 Unauthorized\r\n");
        }
    }

    [Theory]
    [InlineData(SpanMoment.Sampled)]
    [InlineData(SpanMoment.Started)]
    [InlineData(SpanMoment.Stopped)]
    public async Task Listeners_that_throw_refuse_no_operator_and_let_nobody_in(SpanMoment at)
    {
        var trace = ActivityTraceId.CreateRandom();
        using var listeners = new ThrowingListeners(_admin.Services.GetRequiredService<IMeterFactory>(), trace, at);
        using HttpClient client = From("127.0.0.4");
        client.DefaultRequestHeaders.Add("traceparent", $"00-{trace}-00f067aa0ba902b7-01");

        (await TryAsync(client, "wrong-key-wrong-key")).ShouldStartWith("401\n");
        (await TryAsync(client, TestAdmin.Approver)).ShouldStartWith("200\n");

        listeners.Thrown.ShouldBe(2);
    }

    [Fact]
    public async Task Each_refusal_is_counted_and_an_address_is_logged_once()
    {
        long counted = 0;
        IMeterFactory meters = _admin.Services.GetRequiredService<IMeterFactory>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "proxygateway.admin.unauthorized" && instrument.Meter.Name == Telemetry.MeterName && instrument.Meter.Scope == meters)
                l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            tags.ToArray().ShouldBe([KeyValuePair.Create<string, object?>("http.response.status_code", 401)]);
            Interlocked.Add(ref counted, value);
        });
        listener.Start();
        using HttpClient client = From("127.0.0.3");

        await TryAsync(client, "wrong-key-wrong-key");
        await TryAsync(client, null);
        await TryAsync(client, TestAdmin.Approver);

        Interlocked.Read(ref counted).ShouldBe(2);
        _log.All.Where(l => l.Contains("127.0.0.3")).ShouldHaveSingleItem().ShouldBe(
            "Warning: Without a valid key, 127.0.0.3 made 1 requests to the operators' endpoints");
        _log.All.ShouldAllBe(l => !l.Contains("challenged"));
        _log.All.ShouldAllBe(l => !l.Contains("wrong-key-wrong-key") && !l.Contains(TestAdmin.Approver));
    }

    [Fact]
    public async Task A_client_that_leaves_frees_its_place()
    {
        using HttpClient client = From("127.0.0.4");
        for (int i = 0; i < RefusalPace.AtOnce; i++)
            await TryAsync(client, "wrong");
        using var leave = new CancellationTokenSource();
        Task<string> held = TryAsync(client, "wrong", leave.Token);
        await HeldComesToAsync(1);

        await leave.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(held);
        await HeldComesToAsync(0);
    }

    [Fact]
    public async Task A_stopping_gateway_does_not_wait_for_delayed_refusals()
    {
        using HttpClient client = From("127.0.0.5");
        for (int i = 0; i < RefusalPace.AtOnce; i++)
            await TryAsync(client, "wrong");
        Task<string> held = TryAsync(client, "wrong");
        await HeldComesToAsync(1);

        Task stop = _admin.StopAsync();

        (await held.WaitAsync(Eventually.Patience)).ShouldStartWith("401");
        await stop.WaitAsync(Eventually.Patience);
    }

    [Fact]
    public async Task Requests_that_need_no_key_never_wait()
    {
        using HttpClient client = From("127.0.0.6");
        for (int i = 0; i < 50; i++)
        {
            using HttpResponseMessage health = await client.GetAsync(new Uri("/healthz", UriKind.Relative));
            health.StatusCode.ShouldBe(HttpStatusCode.OK);
        }
    }

    private HttpClient From(string address) => new(new SocketsHttpHandler
    {
        ConnectCallback = async (context, cancellationToken) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
            await socket.ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    {
        BaseAddress = _admin.Client.BaseAddress,
    };

    private static async Task<string> TryAsync(HttpClient client, string? key, CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/admin/v1/devices");
        if (key is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using HttpResponseMessage response = await client.SendAsync(request, cancellationToken);
        response.Headers.Date = null;
        return $"{(int)response.StatusCode}\n{response.Headers}{response.Content.Headers}\n{await response.Content.ReadAsStringAsync(cancellationToken)}";
    }

    private async Task<string> RawAsync(string from, string path, string header)
    {
        using var client = new TcpClient(new IPEndPoint(IPAddress.Parse(from), 0));
        await client.ConnectAsync(IPAddress.Loopback, _admin.Client.BaseAddress!.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n"));
        using var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
        string answer = await reader.ReadToEndAsync();
        return string.Join("\r\n", answer.Split("\r\n").Where(l => !l.StartsWith("Date:", StringComparison.Ordinal)));
    }

    private async Task HeldComesToAsync(int count) => await Eventually.HoldsAsync(() => Task.FromResult(Refusals.Held == count), $"{count} wait");

    // A waiting client is counted a moment before its timer is set.
    private async Task LetTimePassUntilAsync(Task done) => await Eventually.HoldsAsync(
        () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(250));
            return Task.FromResult(done.IsCompleted);
        },
        "they are answered");
}
