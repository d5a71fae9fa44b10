using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.IntegrationTests.Embedding;

/// <summary>An application's own handshake, for plain requests and WebSockets: it can do nothing that skips a check of the gate's.</summary>
public sealed class OwnHandshakeTests : IAsyncLifetime, IDisposable
{
    private static readonly Operator Ops = new("ops");

    private readonly ConcurrentQueue<IHeaderDictionary> _heard = [];
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly HttpClient _http = new() { Timeout = Eventually.Patience };
    private readonly CancellationTokenSource _patience = new(Eventually.Patience);
    private WebApplication _backend = null!;
    private WebApplication _app = null!;

    private DeviceRegistry Registry => _app.Services.GetRequiredService<DeviceRegistry>();

    private IDeviceConnections Connections => _app.Services.GetRequiredService<IDeviceConnections>();

    private string Address => _app.Urls.First();

    public async Task InitializeAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _backend = builder.Build();
        _backend.UseWebSockets();
        _backend.Run(AnswerAsync);
        await _backend.StartAsync();
        await StartAsync<SignedRequestHandshake>();
    }

    public async Task DisposeAsync()
    {
        await _app.DisposeAsync();
        await _backend.DisposeAsync();
    }

    public void Dispose()
    {
        _key.Dispose();
        _http.Dispose();
        _patience.Dispose();
    }

    [Fact]
    public async Task A_device_that_nobody_has_approved_gets_the_id_of_its_request_and_the_backend_hears_nothing()
    {
        using HttpResponseMessage refused = await GetAsync("/work");

        refused.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        RequestId.TryParse(await refused.Content.ReadAsStringAsync(), out RequestId request).ShouldBeTrue();
        (await Registry.FindRequestAsync(request, default)).ShouldNotBeNull().Role.ShouldBe("client");
        _heard.ShouldBeEmpty();
        Connections.Count.ShouldBe(0);
    }

    [Fact]
    public async Task An_approved_device_is_forwarded_without_its_proof()
    {
        await PairAsync();

        using HttpResponseMessage answer = await GetAsync("/work");

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await answer.Content.ReadAsStringAsync()).ShouldBe("done");
        _heard.ShouldHaveSingleItem().ContainsKey("Device-Signature").ShouldBeFalse();
        await Eventually.HoldsAsync(() => Task.FromResult(Connections.Count == 0), "its session is over with it");
    }

    [Fact]
    public async Task A_proof_is_not_forwarded_even_if_its_header_is_one_that_clients_may_send()
    {
        await _app.DisposeAsync();
        await StartAsync<SignedRequestHandshake>(options => options with { RequestHeaders = ["Device-Signature", "X-Own"] });
        await PairAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, Address + "/work");
        request.Headers.Add("Device-Signature", Sign("/work"));
        request.Headers.Add("X-Own", "kept");

        using HttpResponseMessage answer = await _http.SendAsync(request);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        IHeaderDictionary heard = _heard.ShouldHaveSingleItem();
        heard["X-Own"].ToString().ShouldBe("kept");
        heard.ContainsKey("Device-Signature").ShouldBeFalse();
    }

    [Fact]
    public async Task A_proof_is_no_sign_of_a_proxy()
    {
        await _app.DisposeAsync();
        await StartAsync<SignedRequestHandshake>(options => options with { Policy = new PairingPolicy() });

        using HttpResponseMessage answer = await GetAsync("/work");

        answer.StatusCode.ShouldBe(HttpStatusCode.OK, "it is a device on loopback, which the rule approves");
    }

    [Fact]
    public async Task An_admitted_request_is_forwarded_once()
    {
        await _app.DisposeAsync();
        await StartAsync<Twice>(options => options with { Policy = new PairingPolicy() });

        await _http.GetAsync(new Uri(Address + "/work"));

        Twice.Refused.ShouldBeOfType<InvalidOperationException>().Message.ShouldBe("The request is decided or forwarded already.");
        _heard.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_handshake_that_does_not_wait_for_its_request_is_waited_for()
    {
        await _app.DisposeAsync();
        await StartAsync<Unawaited>(options => options with { Policy = new PairingPolicy() });

        using HttpResponseMessage answer = await _http.GetAsync(new Uri(Address + "/stream"), HttpCompletionOption.ResponseHeadersRead);
        Stream stream = await answer.Content.ReadAsStreamAsync();
        (await stream.ReadAsync(new byte[1])).ShouldBe(1);
        await Registry.RemoveAsync(Connections.List().ShouldHaveSingleItem().Device!.Value, Ops, Rules(), default);

        Exception ended = await Should.ThrowAsync<Exception>(async () => _ = await stream.ReadAsync(new byte[1], _patience.Token));
        ended.ShouldBeAssignableTo<IOException>();
    }

    [Fact]
    public async Task A_removal_ends_a_request_that_is_under_way()
    {
        DeviceId device = await PairAsync();
        using HttpResponseMessage answer = await GetAsync("/stream");
        Stream stream = await answer.Content.ReadAsStreamAsync();
        (await stream.ReadAsync(new byte[1])).ShouldBe(1);
        Connections.List().ShouldHaveSingleItem().Device.ShouldBe(device);

        await Registry.RemoveAsync(device, Ops, Rules(), default);

        Exception ended = await Should.ThrowAsync<Exception>(async () => _ = await stream.ReadAsync(new byte[1], _patience.Token));
        ended.ShouldBeAssignableTo<IOException>();
        await Eventually.HoldsAsync(() => Task.FromResult(Connections.Count == 0), "it is no connection any more");
        using HttpResponseMessage again = await GetAsync("/work");
        again.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task A_removal_closes_a_WebSocket_with_its_reason()
    {
        DeviceId device = await PairAsync();
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Device-Signature", Sign("/socket"));
        await socket.ConnectAsync(new Uri(Address.Replace("http:", "ws:", StringComparison.Ordinal) + "/socket"), _patience.Token);
        await socket.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, _patience.Token);
        (await socket.ReceiveAsync(new byte[16], _patience.Token)).Count.ShouldBe(5);

        await Registry.RemoveAsync(device, Ops, Rules(), default);

        WebSocketReceiveResult close = await socket.ReceiveAsync(new byte[16], _patience.Token);
        ((int?)close.CloseStatus, close.CloseStatusDescription).ShouldBe((1008, "device removed"));
    }

    [Fact]
    public async Task A_request_without_a_valid_proof_is_refused_although_plain_requests_are_allowed()
    {
        await _app.DisposeAsync();
        await StartAsync<SignedRequestHandshake>(options => options with { HttpRequests = HttpRequests.Allow });
        await PairAsync();

        using HttpResponseMessage unsigned = await _http.GetAsync(new Uri(Address + "/work"));
        using HttpResponseMessage otherPath = await GetAsync("/work", Sign("/other"));

        unsigned.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        otherPath.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        _heard.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_handshake_cannot_forward_before_an_admission()
    {
        await _app.DisposeAsync();
        await StartAsync<Forwarding>();

        using HttpResponseMessage answer = await _http.GetAsync(new Uri(Address + "/work"));

        answer.StatusCode.ShouldBe(HttpStatusCode.InternalServerError);
        _heard.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_handshake_cannot_forward_once_it_has_returned()
    {
        await _app.DisposeAsync();
        await StartAsync<Late>(options => options with { Policy = new PairingPolicy() });

        await _http.GetAsync(new Uri(Address + "/work"));

        Late.Kept.ShouldNotBeNull();
        Should.Throw<InvalidOperationException>(() => { _ = Late.Kept.ForwardAsync(); }).Message.ShouldBe("The request is over.");
        Connections.Count.ShouldBe(0);
        _heard.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_claim_whose_id_is_not_its_keys_is_none()
    {
        await _app.DisposeAsync();
        await StartAsync<Mistaken>();

        using HttpResponseMessage answer = await _http.GetAsync(new Uri(Address + "/work"));

        answer.StatusCode.ShouldBe(HttpStatusCode.InternalServerError);
        _heard.ShouldBeEmpty();
    }

    // It would damage the device's record, or make it grow without bound.
    [Theory]
    [InlineData("two words", 1)]
    [InlineData("", 1)]
    [InlineData("scope", 65)]
    public async Task A_claim_with_malformed_scopes_is_none(string scope, int count)
    {
        await StartScriptedAsync(request => request.DecideAsync(AnyClaim() with { Scopes = ScopeSet.Of(Enumerable.Range(0, count).Select(i => count == 1 ? scope : scope + i)) }));

        using HttpResponseMessage answer = await _http.GetAsync(new Uri(Address + "/work"));

        answer.StatusCode.ShouldBe(HttpStatusCode.InternalServerError);
        (await Registry.FindAsync(AnyClaim().Device, default)).ShouldBeNull();
    }

    [Fact]
    public async Task A_description_is_cut_and_made_safe_to_show()
    {
        var client = new ClientDescription(Id: new string('x', 1_000_000), DisplayName: "a\u202Eb\n", Platform: "\n");
        await StartScriptedAsync(request => request.DecideAsync(AnyClaim() with { Client = client }));

        await _http.GetAsync(new Uri(Address + "/work"));

        ClientDescription stored = (await Registry.FindAsync(AnyClaim().Device, default)).ShouldNotBeNull().Client.ShouldNotBeNull();
        (stored.Id?.Length, stored.DisplayName, stored.Platform).ShouldBe((100, "ab", null));
    }

    [Fact]
    public async Task A_handshake_that_takes_too_long_is_aborted()
    {
        await StartScriptedAsync(
            request => Task.Delay(Timeout.InfiniteTimeSpan, request.Http.RequestAborted), options => options with { HandshakeTimeout = TimeSpan.FromMilliseconds(100) });

        await Should.ThrowAsync<HttpRequestException>(() => _http.GetAsync(new Uri(Address + "/work")));

        _heard.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_handshake_that_gives_way_to_another_is_aborted()
    {
        int begun = 0;
        await StartScriptedAsync(
            request =>
            {
                Interlocked.Increment(ref begun);
                return Task.Delay(Timeout.InfiniteTimeSpan, request.Http.RequestAborted);
            },
            options => options with { HandshakeTimeout = TimeSpan.FromMinutes(10), Limits = options.Limits with { HandshakesPerAddress = 1 } });
        Task<HttpResponseMessage> first = _http.GetAsync(new Uri(Address + "/work"));
        await Eventually.HoldsAsync(() => Task.FromResult(begun == 1), "the first is under way");

        Task<HttpResponseMessage> second = _http.GetAsync(new Uri(Address + "/work"), _patience.Token);

        await Should.ThrowAsync<HttpRequestException>(() => first);
        second.IsCompleted.ShouldBeFalse();
        await _patience.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => second);
    }

    [Fact]
    public async Task A_refusal_that_the_handshake_does_not_wait_for_is_held_back_all_the_same()
    {
        await StartScriptedAsync(
            request =>
            {
                _ = request.RefuseAsync("no");
                request.Http.Response.StatusCode = StatusCodes.Status401Unauthorized;
                return Task.CompletedTask;
            },
            options => options with { Limits = options.Limits with { FailuresPerAddress = 1 } });
        using HttpResponseMessage first = await _http.GetAsync(new Uri(Address + "/work"));
        long started = Stopwatch.GetTimestamp();

        using HttpResponseMessage second = await _http.GetAsync(new Uri(Address + "/work"));

        (first.StatusCode, second.StatusCode).ShouldBe((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized));
        Stopwatch.GetElapsedTime(started).ShouldBeGreaterThan(TimeSpan.FromMilliseconds(240));
    }

    [Fact]
    public async Task Of_many_decisions_at_a_time_one_is_taken()
    {
        int taken = 0;
        await StartScriptedAsync(async request =>
        {
            using var start = new Barrier(4);
            await Task.WhenAll(Enumerable.Range(0, 4).Select(number => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait();
                    try
                    {
                        _ = request.DecideAsync(AnyClaim());
                        Interlocked.Increment(ref taken);
                    }
                    catch (InvalidOperationException)
                    {
                        // another was first
                    }
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default)));
        });

        await _http.GetAsync(new Uri(Address + "/work"));

        taken.ShouldBe(1);
        Connections.Count.ShouldBe(0);
    }

    [Fact]
    public void The_documents_handshake_is_this_one()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "ProxyGateway.sln")))
            root = Path.GetDirectoryName(root).ShouldNotBeNull();
        string code = File.ReadAllText(Path.Combine(root, "tests", "ProxyGateway.IntegrationTests", "Embedding", "SignedRequestHandshake.cs"));

        File.ReadAllText(Path.Combine(root, "docs", "embedding.md")).ShouldContain(code[code.IndexOf("internal sealed class", StringComparison.Ordinal)..]);
    }

    [Fact]
    public async Task The_route_says_for_which_agent_a_claim_is_and_not_the_handshake()
    {
        Audience toldHandshake = Audience.Parse("unset");
        await StartScriptedAsync(async request =>
        {
            toldHandshake = request.Audience;
            await request.DecideAsync(AnyClaim() with { Audience = Audience.Parse("agent-2") });
        });

        using HttpResponseMessage answer = await GetAsync("/work");

        toldHandshake.ShouldBe(Audience.Default);
        (await Registry.ListOpenRequestsAsync(cursor: null, 10, default)).Items.ShouldHaveSingleItem().Audience.ShouldBe(Audience.Default);
    }

    private async Task StartAsync<T>(Func<DeviceAuthOptions, DeviceAuthOptions>? configure = null)
        where T : class, IDeviceHandshake
    {
        _app = EmbeddedApplication.Build(
            _backend.Urls.First(),
            builder => builder.Services
                .AddDeviceAuthorization(options =>
                {
                    options = options with { Handshake = "Own", Policy = new PairingPolicy { AutoApprove = [] } };
                    return configure?.Invoke(options) ?? options;
                })
                .AddInMemoryStore()
                .AddHandshake<T>("Own"));
        await _app.StartAsync();
    }

    private async Task StartScriptedAsync(Func<HandshakeRequest, Task> script, Func<DeviceAuthOptions, DeviceAuthOptions>? configure = null)
    {
        await _app.DisposeAsync();
        Scripted.Script = script;
        await StartAsync<Scripted>(configure);
    }

    private PairingRules Rules() => _app.Services.GetRequiredService<IDeviceAuthSettings>().Current.PairingRules;

    private async Task<DeviceId> PairAsync()
    {
        using HttpResponseMessage refused = await GetAsync("/work");
        RequestId request = RequestId.Parse(await refused.Content.ReadAsStringAsync());
        Decision? approved = await Registry.ApproveAsync(request, new GrantTerms(), Ops, Rules(), default);
        approved.ShouldNotBeNull().Outcome.ShouldBe(DecisionOutcome.Done);
        return approved.Record.Id;
    }

    private Task<HttpResponseMessage> GetAsync(string path, string? proof = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, Address + path);
        request.Headers.Add("Device-Signature", proof ?? Sign(path));
        return _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    private string Sign(string path)
    {
        ECPoint key = _key.ExportParameters(includePrivateParameters: false).Q;
        long seconds = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        byte[] signature = _key.SignData(Encoding.UTF8.GetBytes($"GET\n{new Uri(Address).Authority}\n{path}\n{seconds}"), HashAlgorithmName.SHA256);
        return $"{Base64Url.EncodeToString([4, .. key.X!, .. key.Y!])}.{seconds}.{Base64Url.EncodeToString(signature)}";
    }

    private async Task AnswerAsync(HttpContext context)
    {
        _heard.Enqueue(new HeaderDictionary(context.Request.Headers.ToDictionary(StringComparer.OrdinalIgnoreCase))); // the server empties its own afterwards
        if (context.WebSockets.IsWebSocketRequest)
        {
            using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
            byte[] buffer = new byte[16];
            while (await socket.ReceiveAsync(buffer, _patience.Token) is { MessageType: not WebSocketMessageType.Close } received)
                await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, endOfMessage: true, _patience.Token);
        }
        else if (context.Request.Path == "/stream")
        {
            await context.Response.WriteAsync(".", context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            await Task.Delay(Eventually.Patience, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        else
        {
            await context.Response.WriteAsync("done", context.RequestAborted);
        }
    }

    private sealed class Forwarding : IDeviceHandshake
    {
        public bool TakesHttpRequests => true;

        public Task InvokeAsync(HandshakeRequest request) => request.ForwardAsync();
    }

    private static DeviceClaim AnyClaim()
    {
        byte[] key = new byte[32];
        return new DeviceClaim(DeviceId.Of(key), Base64Url.EncodeToString(key), "client", ScopeSet.Empty, new ClientDescription());
    }

    private sealed class Late : IDeviceHandshake
    {
        public static HandshakeRequest? Kept { get; private set; }

        public bool TakesHttpRequests => true;

        public async Task InvokeAsync(HandshakeRequest request)
        {
            Kept = request;
            await request.DecideAsync(AnyClaim());
        }
    }

    private sealed class Twice : IDeviceHandshake
    {
        public static Exception? Refused { get; private set; }

        public bool TakesHttpRequests => true;

        public async Task InvokeAsync(HandshakeRequest request)
        {
            await request.DecideAsync(AnyClaim());
            Task<bool> first = request.ForwardAsync();
            Refused = await Record.ExceptionAsync(request.ForwardAsync);
            await first;
        }
    }

    private sealed class Unawaited : IDeviceHandshake
    {
        public bool TakesHttpRequests => true;

        public async Task InvokeAsync(HandshakeRequest request)
        {
            await request.DecideAsync(AnyClaim());
            _ = request.ForwardAsync();
        }
    }

    private sealed class Scripted : IDeviceHandshake
    {
        public static Func<HandshakeRequest, Task> Script { get; set; } = null!;

        public bool TakesHttpRequests => true;

        public Task InvokeAsync(HandshakeRequest request) => Script(request);
    }

    private sealed class Mistaken : IDeviceHandshake
    {
        public bool TakesHttpRequests => true;

        public async Task InvokeAsync(HandshakeRequest request) => await request.DecideAsync(
            new DeviceClaim(DeviceId.Of(new byte[32]), Base64Url.EncodeToString(new byte[31]), "client", ScopeSet.Empty, new ClientDescription()));
    }
}
