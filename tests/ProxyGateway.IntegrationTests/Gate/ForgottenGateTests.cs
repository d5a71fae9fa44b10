using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Sqlite;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Model;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Applications that add the gate, and put it into their pipeline wrongly or not at all: they forward nothing, and say why.</summary>
public sealed class ForgottenGateTests : IAsyncLifetime, IAsyncDisposable
{
    private static readonly string[] Plain = ["Connection: close", "Upgrade:", "Sec-WebSocket-Version:", "Sec-WebSocket-Key:"];

    private readonly List<IAsyncDisposable> _toDispose = [];
    private readonly List<TestBackend> _backends = [];
    private readonly CapturedLog _log = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("gate-").FullName;

    [Theory]
    [InlineData(true, "")]
    [InlineData(false, "")]
    [InlineData(true, "Off")]
    [InlineData(false, "Off")]
    public async Task A_pipeline_without_the_gate_forwards_nothing(bool gateIsAddedFirst, string metadata)
    {
        int port = await StartAsync(proxy => { proxy.UseSessionAffinity(); proxy.UseLoadBalancing(); }, gateIsAddedFirst: gateIsAddedFirst, metadata: metadata);

        await MustBeShutAsync(port, eventId: 1215, "/", upgrade: false);
        await MustBeShutAsync(port, eventId: 1215, "/", upgrade: true);
    }

    [Fact]
    public async Task The_default_pipeline_without_the_gate_forwards_nothing()
    {
        int port = await StartAsync(pipeline: null);

        await MustBeShutAsync(port, eventId: 1215, "/", upgrade: true);
    }

    [Fact]
    public async Task A_gate_before_load_balancing_admits_nobody()
    {
        int port = await StartAsync(proxy => { proxy.UseSessionAffinity(); proxy.UseDeviceAuthorization(); proxy.UseLoadBalancing(); }, destinations: 2);

        await MustBeShutAsync(port, eventId: 1216, "/", upgrade: true);
    }

    [Fact]
    public async Task A_gate_before_session_affinity_admits_nobody()
    {
        int port = await StartAsync(
            proxy => { proxy.UseDeviceAuthorization(); proxy.UseSessionAffinity(); proxy.UseLoadBalancing(); },
            destinations: 2,
            affinity: new SessionAffinityConfig { Enabled = true, AffinityKeyName = "affinity", Policy = "HashCookie" });

        await MustBeShutAsync(port, eventId: 1216, "/", upgrade: true);
    }

    [Fact]
    public async Task A_request_that_is_reassigned_behind_the_gate_is_not_forwarded()
    {
        int port = await StartAsync(
            proxy =>
            {
                proxy.UseDeviceAuthorization();
                proxy.Use((context, next) =>
                {
                    context.RequestServices.GetRequiredService<IProxyStateLookup>().TryGetRoute("agent", out RouteModel? gated).ShouldBeTrue();
                    context.ReassignProxyRequest(gated!, gated!.Cluster!);
                    return next(context);
                });
            },
            openPath: "/open");

        await MustBeShutAsync(port, eventId: 1215, "/open", upgrade: false);
    }

    [Fact]
    public async Task Behind_affinity_and_load_balancing_the_gate_admits_and_open_routes_pass()
    {
        int port = await StartAsync(
            proxy => { proxy.UseSessionAffinity(); proxy.UseLoadBalancing(); proxy.UseDeviceAuthorization(); }, destinations: 2, openPath: "/open");

        (int status, string head, Stream stream) = await TestClient.RequestAsync(port);
        await stream.DisposeAsync();
        status.ShouldBe(101, head);
        _backends.ForEach(b => b.Http = _ => Task.CompletedTask);
        (status, head, stream) = await TestClient.RequestAsync(port, "/open", headers: Plain);
        await stream.DisposeAsync();
        status.ShouldBe(200, head);
    }

    [Fact]
    public async Task An_application_may_try_another_destination_in_front_of_the_gate()
    {
        int port = await StartAsync(proxy =>
        {
            proxy.Use(async (context, next) =>
            {
                IReverseProxyFeature chosen = context.GetReverseProxyFeature();
                IReadOnlyList<DestinationState> alive = chosen.AvailableDestinations;
                chosen.AvailableDestinations = new DestinationState("dead", new DestinationModel(new DestinationConfig { Address = "http://127.0.0.1:1" }));
                await next(context);
                context.Response.StatusCode.ShouldBe(502);
                context.Response.Clear();
                chosen.AvailableDestinations = alive;
                await next(context);
            });
            proxy.UseDeviceAuthorization();
        });

        (await TestClient.ConnectAsync(port, new TestDevice())).ShouldBeAdmitted();
    }

    public Task InitializeAsync() => Task.CompletedTask;

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable each in _toDispose)
            await each.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task MustBeShutAsync(int port, int eventId, string path, bool upgrade)
    {
        (int status, string head, Stream stream) = await TestClient.RequestAsync(port, path, headers: upgrade ? null : Plain);
        await stream.DisposeAsync();

        status.ShouldBe(500, head);
        _backends.ShouldAllBe(b => b.Requests.IsEmpty);
        _log.Lines.ShouldContain(l => l.Id.Id == eventId && l.Level == LogLevel.Error);
    }

    private async Task<int> StartAsync(
        Action<IReverseProxyApplicationBuilder>? pipeline,
        bool gateIsAddedFirst = true,
        int destinations = 1,
        string metadata = "",
        string? openPath = null,
        SessionAffinityConfig? affinity = null)
    {
        for (int i = 0; i < destinations; i++)
        {
            TestBackend backend = await TestBackend.StartAsync();
            _toDispose.Add(backend);
            _backends.Add(backend);
        }

        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders().AddProvider(_log);
        if (gateIsAddedFirst)
            AddGate();
        builder.Services.AddReverseProxy().LoadFromMemory(
            [
                Route("agent", "/{**path}", metadata),
                .. openPath is null ? [] : (RouteConfig[])[Route("open", openPath, "Off")],
            ],
            [
                new ClusterConfig
                {
                    ClusterId = "agents",
                    SessionAffinity = affinity,
                    Destinations = _backends.Index().ToDictionary(b => $"{b.Index}", b => new DestinationConfig { Address = b.Item.Address }),
                },
            ]);
        if (!gateIsAddedFirst)
            AddGate();

        WebApplication app = builder.Build();
        _toDispose.Insert(0, app);
        if (pipeline is null)
            app.MapReverseProxy();
        else
            app.MapReverseProxy(pipeline);
        await app.StartAsync();
        return new Uri(app.Urls.First()).Port;

        void AddGate()
        {
            builder.Services.AddDeviceAuthorization(builder.Configuration);
            builder.Services.AddSqliteDeviceStore(new SqliteStoreOptions { Path = Path.Combine(_folder, "registry.db") });
        }
    }

    private static RouteConfig Route(string id, string path, string metadata) => new()
    {
        RouteId = id,
        ClusterId = "agents",
        Match = new RouteMatch { Path = path },
        Metadata = metadata.Length == 0 ? null : new Dictionary<string, string> { [DeviceAuthDefaults.HandshakeMetadata] = metadata },
    };
}
