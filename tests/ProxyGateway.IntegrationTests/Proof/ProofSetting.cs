using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>A gate with the handshake Proof in a real Kestrel with a real YARP, in front of a backend that speaks HTTP, SSE, gRPC and WebSockets.</summary>
internal sealed class ProofSetting : IAsyncDisposable
{
    private static readonly Operator Ops = new("ops");

    private readonly WebApplication _backend;
    private readonly WebApplication _gate;

    private ProofSetting(WebApplication backend, WebApplication gate) => (_backend, _gate) = (backend, gate);

    /// <summary>The headers of each request that reached the backend.</summary>
    public ConcurrentQueue<IHeaderDictionary> Heard { get; private init; } = [];

    /// <summary>Every request, whether it reached the backend's code or not, and the bytes of bodies that it read.</summary>
    public required BackendState State { get; init; }

    public required InMemoryDeviceStore Store { get; init; }

    public Uri Address => new(_gate.Urls.First(url => url.StartsWith("http:", StringComparison.Ordinal)));

    /// <summary>HTTP/1.1 or HTTP/2 over TLS, if there is a certificate.</summary>
    public Uri TlsAddress => new(_gate.Urls.First());

    /// <summary>The backend itself, to which no device should come.</summary>
    public Uri BackendAddress => new(_backend.Urls.First());

    /// <summary>HTTP/2 without TLS, by prior knowledge.</summary>
    public Uri Http2Address => new(_gate.Urls.Last());

    public DeviceRegistry Registry => _gate.Services.GetRequiredService<DeviceRegistry>();

    public IDeviceConnections Connections => _gate.Services.GetRequiredService<IDeviceConnections>();

    public IServiceProvider Services => _gate.Services;

    private PairingRules Rules => _gate.Services.GetRequiredService<IDeviceAuthSettings>().Current.PairingRules;

    public static async Task<ProofSetting> StartAsync(
        Func<DeviceAuthOptions, DeviceAuthOptions>? configure = null,
        Dictionary<string, string>? metadata = null,
        Action<IServiceCollection>? services = null,
        Action<WebApplication>? mapBackend = null,
        TimeProvider? time = null,
        InMemoryDeviceStore? store = null,
        IEnumerable<RouteConfig>? others = null,
        int port = 0,
        X509Certificate2? certificate = null)
    {
        var state = new BackendState();
        var heard = new ConcurrentQueue<IHeaderDictionary>();
        WebApplication backend = await StartBackendAsync(state, heard, mapBackend);
        store ??= new InMemoryDeviceStore(time);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(options =>
        {
            if (certificate is not null)
                options.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate));
            Listen(options, port);
        });
        var of = new Dictionary<string, string>(metadata ?? []);
        of.TryAdd(DeviceAuthDefaults.HandshakeMetadata, DeviceAuthDefaults.Proof);
        builder.Services.AddReverseProxy().LoadFromMemory(
            [
                .. others ?? [],
                new RouteConfig { RouteId = "grpc", ClusterId = "http2", Match = new RouteMatch { Path = "/test.Echo/{**rest}" }, Metadata = of },
                new RouteConfig { RouteId = "scoped", ClusterId = "http1", Match = new RouteMatch { Path = "/scoped/{**rest}" }, Metadata = new Dictionary<string, string>(of) { ["DeviceAuth.Scopes"] = "files.read files.write" } },
                new RouteConfig { RouteId = "agent", ClusterId = "http1", Match = new RouteMatch { Path = "/{**path}" }, Metadata = of, MaxRequestBodySize = -1 },
            ],
            [
                new ClusterConfig { ClusterId = "http1", Destinations = To(backend.Urls.First()) },
                new ClusterConfig
                {
                    ClusterId = "http2",
                    Destinations = To(backend.Urls.Last()),
                    HttpRequest = new ForwarderRequestConfig { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact },
                },
            ]);
        if (time is not null)
            builder.Services.AddSingleton(time);
        builder.Services
            .AddDeviceAuthorization(options =>
            {
                options = options with
                {
                    Policy = new PairingPolicy { AutoApprove = [] },
                    Limits = options.Limits with { HandshakesPerSecondPerAddress = 1_000_000, FailuresPerAddress = 1_000_000 },
                };
                return configure?.Invoke(options) ?? options;
            })
            .AddInMemoryStore(store);
        if (time is not null)
            builder.Services.AddSingleton(new FreshnessOptions { StalenessLimit = TimeSpan.FromDays(7) }); // a clock that a test moves is ahead of the store's announcements
        services?.Invoke(builder.Services);
        WebApplication gate = builder.Build();
        gate.MapReverseProxy(proxy =>
        {
            proxy.UseLoadBalancing();
            proxy.UseDeviceAuthorization();
        });
        await gate.StartAsync();
        return new ProofSetting(backend, gate) { Heard = heard, State = state, Store = store };
    }

    public HttpClient Client(ProofSigner signer, ProofOptions? options = null, string header = "Device-Proof") =>
        new(new ProofHandler(signer, options) { Header = header, InnerHandler = new SocketsHttpHandler() }) { BaseAddress = Address, Timeout = Eventually.Patience };

    /// <summary>A nonce of the gate's.</summary>
    public async Task<string> NonceAsync()
    {
        using var client = new HttpClient();
        using HttpResponseMessage answer = await client.GetAsync(new Uri(Address, "/.well-known/proxygateway/nonce"));
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        return answer.Headers.GetValues("Device-Nonce").Single();
    }

    /// <summary>Asks for a session token; the answer.</summary>
    public async Task<HttpResponseMessage> AskForTokenAsync(ProofSigner signer, string body, ProofOptions? options = null)
    {
        using var client = new HttpClient { Timeout = Eventually.Patience };
        var url = new Uri(Address, "/.well-known/proxygateway/session");
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new StringContent(body) };
        request.Headers.Add("Device-Proof", signer.Prove("POST", url, await NonceAsync(), options));
        return await client.SendAsync(request);
    }

    /// <summary>A session token of a paired device.</summary>
    public async Task<string> TokenAsync(ProofSigner signer, string body = """{"audience":"default"}""", ProofOptions? options = null)
    {
        using HttpResponseMessage answer = await AskForTokenAsync(signer, body, options);
        string text = await answer.Content.ReadAsStringAsync();
        answer.StatusCode.ShouldBe(HttpStatusCode.OK, text);
        return (string)JsonNode.Parse(text)!["token"]!;
    }

    /// <summary>Sends a session token, and a proof if there is one.</summary>
    public async Task<HttpResponseMessage> SendTokenAsync(string token, string path = "/work", string? proof = null)
    {
        using var client = new HttpClient { Timeout = Eventually.Patience };
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(Address, path));
        request.Headers.TryAddWithoutValidation("Device-Session", token);
        if (proof is not null)
            request.Headers.Add("Device-Proof", proof);
        return await client.SendAsync(request);
    }

    /// <summary>Has the device ask for what a route gives, and an operator approve it.</summary>
    public async Task PairAsync(ProofSigner signer, string path = "/work", ProofOptions? options = null, string header = "Device-Proof")
    {
        using HttpClient client = Client(signer, options, header);
        using HttpResponseMessage refused = await client.GetAsync(new Uri(path, UriKind.Relative));
        JsonNode problem = await ProblemOf(refused, HttpStatusCode.Forbidden, "pairing_required");
        await ApproveAsync(RequestId.Parse((string)problem["requestId"]!));
        Heard.Clear();
        State.Requests = 0;
    }

    public async Task ApproveAsync(RequestId request) =>
        (await Registry.ApproveAsync(request, new GrantTerms(), Ops, Rules, default)).ShouldNotBeNull().Outcome.ShouldBe(DecisionOutcome.Done);

    public async Task ChangeAsync(ProofSigner signer, DeviceChange change) =>
        (await Registry.ChangeAsync(signer.Id, change, Ops, Rules, default)).ShouldNotBeNull().Outcome.ShouldBe(DecisionOutcome.Done);

    public async Task RejectAsync(RequestId request) =>
        (await Registry.RejectAsync(request, Ops, Rules, default)).ShouldNotBeNull().Outcome.ShouldBe(DecisionOutcome.Done);

    public Task RemoveAsync(ProofSigner signer) => RemoveAsync(signer.Id);

    public async Task RemoveAsync(DeviceId device) => (await Registry.RemoveAsync(device, Ops, Rules, default)).ShouldBeTrue();

    public Task BlockAsync(ProofSigner signer) => BlockAsync(signer.Id);

    public async Task BlockAsync(DeviceId device) =>
        (await Registry.ChangeAsync(device, new DeviceChange.Block("lost"), Ops, Rules, default)).ShouldNotBeNull().Outcome.ShouldBe(DecisionOutcome.Done);

    public Task StopAsync() => _gate.StopAsync();

    public static async Task<JsonNode> ProblemOf(HttpResponseMessage answer, HttpStatusCode status, string code)
    {
        string body = await answer.Content.ReadAsStringAsync();
        answer.StatusCode.ShouldBe(status, body);
        answer.Content.Headers.ContentType?.MediaType.ShouldBe("application/problem+json");
        JsonNode problem = JsonNode.Parse(body)!;
        ((string?)problem["code"], (int?)problem["status"]).ShouldBe((code, (int)status));
        ((string?)problem["title"]).ShouldNotBeNullOrWhiteSpace();
        ((string?)problem["detail"]).ShouldNotBeNullOrWhiteSpace();
        return problem;
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.Zero);
        await _gate.StopAsync(patience.Token);
        await _gate.DisposeAsync();
        await _backend.StopAsync(patience.Token);
        await _backend.DisposeAsync();
    }

    private static void Listen(KestrelServerOptions options, int port = 0)
    {
        options.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http1);
        options.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
    }

    private static Dictionary<string, DestinationConfig> To(string address) => new() { ["local"] = new DestinationConfig { Address = address } };

    private static async Task<WebApplication> StartBackendAsync(BackendState state, ConcurrentQueue<IHeaderDictionary> heard, Action<WebApplication>? map)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(options => Listen(options));
        builder.Services.AddGrpc();
        WebApplication backend = builder.Build();
        backend.Use(async (context, next) =>
        {
            Interlocked.Increment(ref state.Requests);
            heard.Enqueue(new HeaderDictionary(context.Request.Headers.ToDictionary(StringComparer.OrdinalIgnoreCase))); // the server empties its own afterwards
            try
            {
                await next(context);
            }
            finally
            {
                Interlocked.Increment(ref state.Ended);
            }
        });
        backend.UseWebSockets();
        map?.Invoke(backend);
        backend.MapGrpcService<EchoService>();
        backend.Map("/stream", async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: 1\n\n", context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        });
        backend.MapPost("/upload", async context =>
        {
            context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
            byte[] buffer = new byte[4096];
            int length;
            while ((length = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0)
                Interlocked.Add(ref state.BytesRead, length);
            await context.Response.WriteAsync("read " + state.BytesRead, context.RequestAborted);
        });
        backend.Map("/socket/{choice?}", async context =>
        {
            string? choice = context.Request.RouteValues["choice"] as string;
            if (!context.WebSockets.IsWebSocketRequest)
            {
                context.Response.StatusCode = StatusCodes.Status418ImATeapot;
                return;
            }

            using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync(choice);
            byte[] buffer = new byte[64];
            while (await socket.ReceiveAsync(buffer, context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } received)
                await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, endOfMessage: true, context.RequestAborted);
        });
        backend.Map("/tea", context =>
        {
            context.Response.StatusCode = StatusCodes.Status418ImATeapot;
            context.Response.Headers["X-Kettle"] = "on";
            return context.Response.WriteAsync("short and stout", context.RequestAborted);
        });
        backend.MapFallback(context =>
        {
            context.Response.Headers["Device-Nonce"] = "planted";
            return context.Response.WriteAsync("done", context.RequestAborted);
        });
        await backend.StartAsync();
        return backend;
    }

    internal sealed class BackendState
    {
#pragma warning disable CA1051, SA1401 // counted by several threads
        public int Requests;
        public int Ended;
        public long BytesRead;
#pragma warning restore CA1051, SA1401
    }
}
