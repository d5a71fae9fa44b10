using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Gate;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Embedding;

/// <summary>A gate whose options are set in code.</summary>
public sealed class CodeOptionsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("code-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_gate_uses_options_that_are_set_in_code()
    {
        await using TestBackend backend = await TestBackend.StartAsync();
        await using WebApplication app = Build(options => options with { Policy = new PairingPolicy { AutoApprove = [] } }, backend.Address);
        await app.StartAsync();

        (await TestClient.ConnectAsync(new Uri(app.Urls.First()).Port, new TestDevice())).ShouldRequirePairing("not-paired");
    }

    [Fact]
    public void Options_in_code_that_a_configuration_could_not_have_are_refused_all_at_once()
    {
        InvalidConfigurationException refused = Should.Throw<InvalidConfigurationException>(
            () => Build(options => options with { HandshakeTimeout = TimeSpan.FromHours(1), Handshake = "None", MaxHandshakeBytes = 1 }, "http://127.0.0.1:1"));

        refused.Message.ShouldContain("DeviceAuth:HandshakeTimeout");
        refused.Message.ShouldContain("DeviceAuth:Handshake");
        refused.Message.ShouldContain("DeviceAuth:MaxHandshakeBytes");
    }

    private WebApplication Build(Func<DeviceAuthOptions, DeviceAuthOptions> configure, string backend)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddReverseProxy().LoadFromMemory(
            [new RouteConfig { RouteId = "agent", ClusterId = "agent", Match = new RouteMatch { Path = "/{**path}" } }],
            [new ClusterConfig { ClusterId = "agent", Destinations = new Dictionary<string, DestinationConfig> { ["local"] = new() { Address = backend } } }]);
        builder.Services.AddDeviceAuthorization(configure).AddSqliteStore(new SqliteStoreOptions { Path = Path.Combine(_folder, "registry.db") });
        WebApplication app = builder.Build();
        app.MapReverseProxy(proxy =>
        {
            proxy.UseLoadBalancing();
            proxy.UseDeviceAuthorization();
        });
        return app;
    }
}
