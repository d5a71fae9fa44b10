using Microsoft.AspNetCore.Builder;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Gate;

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

    private WebApplication Build(Func<DeviceAuthOptions, DeviceAuthOptions> configure, string backend) => EmbeddedApplication.Build(
        backend,
        builder => builder.Services.AddDeviceAuthorization(configure).AddSqliteStore(new SqliteStoreOptions { Path = Path.Combine(_folder, "registry.db") }));
}
