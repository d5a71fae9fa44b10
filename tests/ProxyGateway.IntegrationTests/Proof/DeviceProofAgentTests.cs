using System.Net;
using System.Runtime.CompilerServices;
using ProxyGateway.IntegrationTests.CommandLine;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary><c>samples/DeviceProofAgent</c> as a process: an agent on ASP.NET Core that admits devices itself.</summary>
public sealed class DeviceProofAgentTests : IAsyncLifetime
{
    private readonly ProgramUnderTest _folder = new();
    private RunningProgram _application = null!;
    private Uri _url = null!;

    public async Task InitializeAsync()
    {
        string sample = Path.Combine(Root(), "samples", "DeviceProofAgent");
        string built = AppContext.BaseDirectory[(Path.Combine(Root(), "tests", "ProxyGateway.IntegrationTests").Length + 1)..];
        _application = _folder.StartServer(Path.Combine(sample, built, "DeviceProofAgent.dll"), $"--contentRoot={sample}", "--Urls=http://127.0.0.1:0");
        _url = new Uri(await _application.PrintsAsync("Now listening on:"));
    }

    public async Task DisposeAsync()
    {
        await _application.DisposeAsync();
        _folder.Delete();
    }

    // On loopback the default rule approves it.
    [Fact]
    public async Task The_sample_knows_its_devices()
    {
        using ProofSigner device = ProofSigner.WithEd25519();
        using var client = new HttpClient(new ProofHandler(device) { InnerHandler = new SocketsHttpHandler() }) { BaseAddress = _url };
        using var plain = new HttpClient { BaseAddress = _url };

        (await plain.GetAsync(new Uri("/whoami", UriKind.Relative))).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await client.GetStringAsync(new Uri("/whoami", UriKind.Relative))).ShouldBe(device.Id.ToString());
        (await client.PostAsync(new Uri("/notes", UriKind.Relative), new StringContent("x"))).StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        (await plain.GetStringAsync(new Uri("/", UriKind.Relative))).ShouldBe("public");
    }

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../.."));
}
