using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.Serving;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>The gate in a real Kestrel with a real YARP, in front of a <see cref="TestBackend"/>.</summary>
internal sealed class TestGateway : IAsyncDisposable
{
    /// <summary>An address that no machine has (RFC 5737), as which clients of <see cref="RemotePort"/> appear.</summary>
    public static readonly IPAddress RemoteAddress = IPAddress.Parse("203.0.113.7");

    // Tests come faster, and fail more often, than any client should.
    private static readonly Dictionary<string, string?> Unhurried = new()
    {
        ["DeviceAuth:Limits:HandshakesPerSecondPerAddress"] = "1000000",
        ["DeviceAuth:Limits:FailuresPerAddress"] = "1000000",
    };

    private readonly WebApplication _app;
    private readonly string _folder;

    private TestGateway(WebApplication app, string folder, TestBackend backend) => (_app, _folder, Backend) = (app, folder, backend);

    public TestBackend Backend { get; }

    public required CapturedLog Log { get; init; }

    /// <summary>Where clients come from loopback.</summary>
    public int Port { get; private set; }

    /// <summary>Where clients appear to come from <see cref="RemoteAddress"/>.</summary>
    public int RemotePort { get; private set; }

    public IServiceProvider Services => _app.Services;

    public DeviceRegistry Registry => _app.Services.GetRequiredService<DeviceRegistry>();

    public IDeviceStore Store => _app.Services.GetRequiredService<IDeviceStore>();

    public IAuditStore Audit => _app.Services.GetRequiredService<IAuditStore>();

    public IMeterFactory Meters => _app.Services.GetRequiredService<IMeterFactory>();

    public SessionTable Sessions => _app.Services.GetRequiredService<SessionTable>();

    public DecisionQueue Decisions => _app.Services.GetRequiredService<DecisionQueue>();

    public HandshakeBudgets Budgets => _app.Services.GetRequiredService<HandshakeBudgets>();

    public PairingRules Rules => _app.Services.GetRequiredService<IDeviceAuthSettings>().Current.PairingRules;

    /// <summary>A value of the configuration it was started with.</summary>
    public string? Setting(string key) => _app.Configuration[key];

    /// <summary>Changes the configuration, and has it reloaded.</summary>
    public void Reload(params (string Key, string? Value)[] settings)
    {
        foreach ((string key, string? value) in settings)
            _app.Configuration[key] = value;
        ((IConfigurationRoot)_app.Configuration).Reload();
    }

    public static async Task<TestGateway> StartAsync(
        Dictionary<string, string?>? settings = null,
        Dictionary<string, string>? metadata = null,
        Action<IServiceCollection>? services = null,
        Action<KestrelServerOptions>? kestrel = null,
        TimeProvider? time = null,
        Action<WebApplication>? before = null,
        IReadOnlyList<IReadOnlyDictionary<string, string>>? transforms = null,
        IReadOnlyList<RouteConfig>? routes = null)
    {
        TestBackend backend = await TestBackend.StartAsync();
        string folder = Directory.CreateTempSubdirectory("gate-").FullName;
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddInMemoryCollection(Unhurried).AddInMemoryCollection(settings ?? []);
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Information);

        builder.WebHost.UseEventLoops();
        builder.WebHost.ConfigureKestrel(options =>
        {
            options.Listen(IPAddress.Loopback, 0);
            options.Listen(IPAddress.Loopback, 0, listen => listen.Use(next => connection =>
            {
                connection.Features.Set<IConnectionEndPointFeature>(new RemotePeer());
                return next(connection);
            }));
            kestrel?.Invoke(options);
        });
        builder.Services.AddReverseProxy().LoadFromMemory(
            routes ?? [new RouteConfig { RouteId = "agent", ClusterId = "agent", Match = new RouteMatch { Path = "/{**path}" }, Metadata = metadata, Transforms = transforms }],
            [
                new ClusterConfig
                {
                    ClusterId = "agent",
                    Destinations = new Dictionary<string, DestinationConfig> { ["local"] = new() { Address = backend.Address } },
                },
            ]);
        if (time is not null)
            builder.Services.AddSingleton(time);
        builder.Services.AddDeviceAuthorization(builder.Configuration);
        if (services is null)
            builder.Services.AddSqliteDeviceStore(new SqliteStoreOptions { Path = Path.Combine(folder, "registry.db") });
        else
            services(builder.Services);

        // Created before the first log line is written.
        var log = new CapturedLog();
        builder.Logging.AddProvider(log);
        WebApplication app = builder.Build();
        before?.Invoke(app);
        app.MapReverseProxy(proxy =>
        {
            proxy.UseSessionAffinity();
            proxy.UseLoadBalancing();
            proxy.UsePassiveHealthChecks();
            proxy.UseDeviceAuthorization();
        });
        await app.StartAsync();
        int[] ports = [.. app.Services.GetRequiredService<Microsoft.AspNetCore.Hosting.Server.IServer>().Features
            .GetRequiredFeature<IServerAddressesFeature>().Addresses.Select(a => new Uri(a).Port)];
        return new TestGateway(app, folder, backend) { Port = ports[0], RemotePort = ports[1], Log = log, Ports = ports };
    }

    private sealed class RemotePeer : IConnectionEndPointFeature
    {
        public EndPoint? RemoteEndPoint { get; set; } = new IPEndPoint(RemoteAddress, 50000);

        public EndPoint? LocalEndPoint { get; set; }
    }

    /// <summary>Every port there is, in the order of listeners.</summary>
    public required IReadOnlyList<int> Ports { get; init; }

    public async Task<DeviceRecord?> FindAsync(TestDevice device) => await Registry.FindAsync(device.Id, default);

    /// <summary>Approves a request, as an operator would.</summary>
    public async Task<Decision?> ApproveAsync(string requestId, params string[]? scopes) =>
        await Registry.ApproveAsync(RequestId.Parse(requestId), scopes is { Length: > 0 } ? ScopeSet.Of(scopes) : null, Some.Operator, Rules, default);

    public async Task<Decision?> RejectAsync(string requestId) =>
        await Registry.RejectAsync(RequestId.Parse(requestId), Some.Operator, Rules, default);

    public async Task<bool> RemoveAsync(TestDevice device) => await Registry.RemoveAsync(device.Id, Some.Operator, Rules, default);

    /// <summary>Sets a grant, as an operator would.</summary>
    public async Task<bool> NarrowAsync(TestDevice device, string role, params string[] scopes) =>
        await Registry.SetGrantAsync(device.Id, role.InDefault(), ScopeSet.Of(scopes), Some.Operator, Rules, default) is { Outcome: DecisionOutcome.Done };

    /// <summary>Ends it as a signal would.</summary>
    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(patience.Token);
        await _app.DisposeAsync();
        await Backend.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
