using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ModelContextProtocol;
using ModelContextProtocol.AspNetCore;
using ModelContextProtocol.Client;
using ModelContextProtocol.Server;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.CommandLine;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Clients.Mcp;

/// <summary>A server of the official SDK behind a gate, each of which can be restarted at its address, and hosts that start <c>proxygateway mcp</c>.</summary>
internal sealed class McpSetting : IAsyncDisposable
{
    private static readonly Operator Ops = new("ops");

    private readonly string _folder = Directory.CreateTempSubdirectory("mcp-").FullName;
    private readonly InMemoryDeviceStore _store = new();
    private readonly HttpServerSessionMode _mode;
    private readonly bool _approves;
    private readonly string _header;
    private WebApplication _server = null!;
    private WebApplication _gate = null!;

    private McpSetting(HttpServerSessionMode mode, bool approves, string header) => (_mode, _approves, _header) = (mode, approves, header);

    public Uri Url => new(_gate.Urls.First() + "/mcp");

    public string KeyFile => Path.Combine(_folder, "device.json");

    public ToolState Tools { get; } = new();

    public IServiceProvider Services => _gate.Services;

    public static async Task<McpSetting> StartAsync(HttpServerSessionMode mode = HttpServerSessionMode.Stateless, bool approves = true, string header = "Device-Proof")
    {
        var setting = new McpSetting(mode, approves, header);
        await setting.StartServerAsync();
        await setting.StartGateAsync();
        return setting;
    }

    public async Task RestartServerAsync()
    {
        string url = _server.Urls.First();
        await StopAsync(_server);
        await StartServerAsync(url);
    }

    /// <summary>Stops the gate; what starts it again.</summary>
    public async Task<Func<Task>> StopGateAsync()
    {
        string url = _gate.Urls.First();
        await StopAsync(_gate);
        return () => StartGateAsync(url);
    }

    public async Task ApproveAsync(string request) => (await Registry.ApproveAsync(RequestId.Parse(request), new GrantTerms(), Ops, Rules, default)).ShouldNotBeNull().Outcome.ShouldBe(DecisionOutcome.Done);

    public async Task RemoveAsync() => (await Registry.RemoveAsync(Device, Ops, Rules, default)).ShouldBeTrue();

    /// <summary>The device of the key file.</summary>
    private DeviceId Device => DeviceId.Parse(DeviceAuth.Client.DeviceIdentity.Load(KeyFile).Id);

    /// <summary>A host of the official SDK.</summary>
    public Task<McpClient> ConnectAsync(string? revision = null, string? url = null)
    {
        var transport = new StdioClientTransport(new StdioClientTransportOptions
        {
            Command = BuiltProgram.Command()[0],
            Arguments = [.. BuiltProgram.Command()[1..], "mcp", url ?? Url.ToString(), "--identity", KeyFile],
            WorkingDirectory = _folder,
            ShutdownTimeout = Eventually.Patience,
        });
        return McpClient.CreateAsync(transport, new McpClientOptions { ProtocolVersion = revision, InitializationTimeout = 2 * Eventually.Patience });
    }

    public McpProgram Start(params string[] more) => new(_folder, ["mcp", Url.ToString(), "--identity", KeyFile, .. more]);

    public async ValueTask DisposeAsync()
    {
        await StopAsync(_gate);
        await StopAsync(_server);
        Directory.Delete(_folder, recursive: true);
    }

    private DeviceRegistry Registry => _gate.Services.GetRequiredService<DeviceRegistry>();

    private PairingRules Rules => _gate.Services.GetRequiredService<IDeviceAuthSettings>().Current.PairingRules;

    private static async Task StopAsync(WebApplication application)
    {
        using var patience = new CancellationTokenSource(TimeSpan.Zero);
        await application.StopAsync(patience.Token);
        await application.DisposeAsync();
    }

    private async Task StartServerAsync(string url = "http://127.0.0.1:0")
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(url);
        builder.Services.AddSingleton(Tools);
        builder.Services.AddMcpServer().WithHttpTransport(options => options.SessionMode = _mode).WithTools<ServerTools>();
        _server = builder.Build();
        _server.MapMcp("/mcp");
        await _server.StartAsync();
    }

    private async Task StartGateAsync(string url = "http://127.0.0.1:0")
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(url);
        builder.Services.AddReverseProxy().LoadFromMemory(
            [
                new RouteConfig
                {
                    RouteId = "mcp",
                    ClusterId = "mcp",
                    Match = new RouteMatch { Path = "/mcp" },
                    Metadata = new Dictionary<string, string> { [DeviceAuthDefaults.HandshakeMetadata] = DeviceAuthDefaults.Proof, [DeviceAuthDefaults.ProofHeaderMetadata] = _header },
                },
            ],
            [new ClusterConfig { ClusterId = "mcp", Destinations = new Dictionary<string, DestinationConfig> { ["local"] = new() { Address = _server.Urls.First() } } }]);
        builder.Services
            .AddDeviceAuthorization(options => options with
            {
                Policy = _approves ? options.Policy : new PairingPolicy { AutoApprove = [] },
                Limits = options.Limits with { HandshakesPerSecondPerAddress = 1_000_000, FailuresPerAddress = 1_000_000 },
            })
            .AddInMemoryStore(_store);
        _gate = builder.Build();
        _gate.MapReverseProxy(proxy =>
        {
            proxy.UseLoadBalancing();
            proxy.UseDeviceAuthorization();
        });
        await _gate.StartAsync();
    }

    internal sealed class ToolState
    {
        private int _slow;

        /// <summary>Lets slow tools end.</summary>
        public TaskCompletionSource Released { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>How often a slow tool was begun.</summary>
        public int Slow => _slow;

        public void Begin() => Interlocked.Increment(ref _slow);
    }

    private sealed class ServerTools(ToolState state)
    {
        [McpServerTool(Name = "echo"), Description("Says it again.")]
        public static string Echo(string text) => text;

        [McpServerTool(Name = "look"), Description("Has a parameter that travels in a header.")]
        public static string Look([McpHeader("Region")] string region) => region;

        [McpServerTool(Name = "slow"), Description("Reports progress, and waits.")]
        public async Task<string> SlowAsync(IProgress<ProgressNotificationValue> progress, CancellationToken cancellationToken)
        {
            state.Begin();
            progress.Report(new ProgressNotificationValue { Progress = 1 });
            await state.Released.Task.WaitAsync(cancellationToken);
            return "done";
        }
    }
}
