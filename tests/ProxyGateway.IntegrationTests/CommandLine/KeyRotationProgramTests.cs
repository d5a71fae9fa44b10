using System.Net;
using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>Access to the operators' endpoints of the program itself, a process, as it is set up by its files.</summary>
[SupportedOSPlatform("linux")]
public sealed class KeyRotationProgramTests : IAsyncLifetime, IDisposable
{
    private const string Old = "old-key-old-key-old-key-old-key-old-key";
    private const string New = "new-key-new-key-new-key-new-key-new-key";

    private ProgramUnderTest _program = null!;
    private RunningProgram _gateway = null!;
    private HttpClient _operators = null!;

    private string Settings => Path.Combine(_program.Folder, "appsettings.json");

    public async Task InitializeAsync()
    {
        _program = new ProgramUnderTest();
        _program.Configure("http://127.0.0.1:9"); // no agent is needed
        _gateway = _program.StartServer("proxygateway.dll");
        await _gateway.PrintsAsync("Application started");
        _operators = new HttpClient { BaseAddress = new Uri(await _gateway.PrintsAsync("Operators are served on")) };
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _program.Delete();
    }

    public void Dispose() => _operators.Dispose();

    [Fact]
    public async Task Keys_rotate_by_the_key_file_and_by_the_configuration()
    {
        string made = await File.ReadAllTextAsync(_program.KeyFile);
        (await AskAsync("/admin/v1/me", made)).Status.ShouldBe(HttpStatusCode.OK);

        Replace(_program.KeyFile, Old);
        await ShouldComeToAsync(Old, HttpStatusCode.OK);
        (await AskAsync("/admin/v1/me", made)).Status.ShouldBe(HttpStatusCode.Unauthorized);

        Configure("ops", New);
        await ShouldComeToAsync(New, HttpStatusCode.OK);
        (await AskAsync("/admin/v1/me", Old)).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await AskAsync("/admin/v1/me", New)).Text.ShouldBe("""{"name":"ops","role":"viewer"}""");

        await File.WriteAllTextAsync(Settings, "{ \"Admin\":");
        (await _gateway.PrintsAsync("A reload of the configuration was refused")).ShouldContain("appsettings.json");
        (await AskAsync("/admin/v1/me", New)).Status.ShouldBe(HttpStatusCode.OK);

        Configure("eve", Old);
        await ShouldComeToAsync(Old, HttpStatusCode.OK);
        (await AskAsync("/admin/v1/me", New)).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await _gateway.PrintsAsync("The operators' keys have changed:")).ShouldBe("added [eve], removed [ops], changed []");
    }

    [Fact]
    public async Task The_program_itself_describes_its_endpoints_and_refuses_wrong_keys()
    {
        (HttpStatusCode status, string text) = await AskAsync("/openapi/v1.json", key: null);

        status.ShouldBe(HttpStatusCode.OK);
        JsonDocument.Parse(text).RootElement.GetProperty("paths").EnumerateObject().Count().ShouldBeGreaterThan(5);
        (await AskAsync("/admin/v1/me", key: null)).Status.ShouldBe(HttpStatusCode.Unauthorized);
        (await AskAsync("/admin/v1/me", "wrong")).Status.ShouldBe(HttpStatusCode.Unauthorized);
        await _gateway.PrintsAsync("Without a valid key, 127.0.0.1 made 1 requests");
    }

    private void Configure(string name, string key)
    {
        JsonNode settings = JsonNode.Parse("""
            {
              "Urls": "http://127.0.0.1:0",
              "ReverseProxy": {
                "Routes": { "agent": { "ClusterId": "agent", "Match": { "Path": "/{**path}" } } },
                "Clusters": { "agent": { "Destinations": { "local": { "Address": "http://127.0.0.1:9" } } } }
              },
              "Admin": { "Url": "http://127.0.0.1:0" }
            }
            """)!;
        settings["Admin"]!["Keys"] = new JsonObject
        {
            [name] = new JsonObject { ["Sha256"] = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key))), ["Role"] = "viewer" },
        };
        Replace(Settings, settings.ToJsonString());
    }

    private static void Replace(string path, string content)
    {
        string draft = path + ".new";
        File.WriteAllText(draft, content);
        File.SetUnixFileMode(draft, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(draft, path, overwrite: true);
    }

    private async Task ShouldComeToAsync(string key, HttpStatusCode status) =>
        await Eventually.HoldsAsync(async () => (await AskAsync("/admin/v1/me", key)).Status == status, $"{status} for the key");

    private async Task<(HttpStatusCode Status, string Text)> AskAsync(string path, string? key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (key is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using HttpResponseMessage response = await _operators.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}
