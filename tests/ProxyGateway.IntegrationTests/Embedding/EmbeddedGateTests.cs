using System.Net;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Embedding;

/// <summary><c>samples/EmbeddedGate</c> as a process: an application of somebody else's with the gate in it.</summary>
public sealed class EmbeddedGateTests : IAsyncLifetime
{
    private static readonly HttpClient Http = new();

    private readonly ProgramUnderTest _folder = new();
    private TestBackend _backend = null!;
    private RunningProgram _application = null!;
    private Uri _url = null!;

    public async Task InitializeAsync()
    {
        _backend = await TestBackend.StartAsync();
        string sample = Path.Combine(Root(), "samples", "EmbeddedGate");
        string built = AppContext.BaseDirectory[(Path.Combine(Root(), "tests", "ProxyGateway.IntegrationTests").Length + 1)..];
        _application = _folder.StartServer(
            Path.Combine(sample, built, "EmbeddedGate.dll"),
            $"--contentRoot={sample}",
            "--Urls=http://127.0.0.1:0",
            $"--ReverseProxy:Clusters:agent:Destinations:local:Address={_backend.Address}");
        _url = new Uri(await _application.PrintsAsync("Now listening on:"));
    }

    public async Task DisposeAsync()
    {
        await _application.DisposeAsync();
        await _backend.DisposeAsync();
        _folder.Delete();
    }

    [Fact]
    public async Task The_sample_gates_its_agent_and_lists_connections()
    {
        var device = new TestDevice();
        (await Http.GetAsync(new Uri(_url, "/agent/x"))).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await ConnectionsAsync()).ShouldBeEmpty();

        FrameConnection client = await TestClient.OpenAsync(_url.Port, "/agent/");
        await client.ReceiveJsonAsync();
        await client.SendTextAsync(new Ask { Scopes = ["operator.read"] }.SignedBy(device));
        (await TestClient.OutcomeAsync(client)).ShouldBeAdmitted();

        JsonElement shown = (await ConnectionsAsync()).ShouldHaveSingleItem();
        shown.GetProperty("device").GetString().ShouldBe(device.Id.ToString());
        shown.GetProperty("role").GetString().ShouldBe("operator");
        shown.GetProperty("scopes").GetString().ShouldBe("operator.read");
    }

    [Fact]
    public async Task The_sample_is_ready() => (await Http.GetStringAsync(new Uri(_url, "/ready"))).ShouldBe("Healthy");

    private async Task<JsonElement[]> ConnectionsAsync() => (await Http.GetFromJsonAsync<JsonElement[]>(new Uri(_url, "/connections")))!;

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../.."));
}
