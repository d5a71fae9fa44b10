using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Admin;

namespace ProxyGateway.IntegrationTests.CommandLine.Importing;

/// <summary>The command as a process, with the state of an OpenClaw gateway: four devices, of which one's token was revoked.</summary>
public sealed class ImportProgramTests : IAsyncLifetime
{
    private static readonly string Key = new('k', 43);
    private const string Kitchen = "eb21b13c2167286b20658edc03d324cf321a5e55571f375f1d06b10d6966c8e8";
    private const string Laptop = "837d53bee4e6b3b09b177334f946b606dffcd41016062863ac65f4ca8791ee7a";
    private static readonly string State = Path.Combine(AppContext.BaseDirectory, "CommandLine", "Importing", "openclaw");

    private readonly ProgramUnderTest _program = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync()
    {
        _program.Delete();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Devices_of_an_OpenClaw_gateway_are_imported_once()
    {
        _program.Configure("http://127.0.0.1:9");
        await using RunningProgram gateway = _program.StartServer("proxygateway.dll");
        string admin = await gateway.PrintsAsync("Operators are served on");
        using var operators = new HttpClient { BaseAddress = new Uri(admin) };
        operators.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await File.ReadAllTextAsync(_program.KeyFile));

        Ended dry = await ImportAsync(admin, State, "--dry-run", "--json");
        dry.ExitCode.ShouldBe(1, dry.Error);
        dry.Error.ShouldContain("1 of 4 devices would not be taken over");
        Outcomes(dry).ShouldBe(["added", "added", "added", "skipped"]);
        (await StatusAsync(operators, HttpMethod.Get, Laptop)).ShouldBe(HttpStatusCode.NotFound);

        Ended run = await ImportAsync(admin, State);
        run.ExitCode.ShouldBe(1, run.Error);
        run.Output.ShouldContain("Kitchen iPad");
        run.Output.ShouldContain("3 added, 1 skipped");
        using JsonDocument laptop = JsonDocument.Parse(await operators.GetStringAsync(new Uri($"/admin/v1/devices/{Laptop}", UriKind.Relative)));
        laptop.RootElement.GetProperty("grants").EnumerateObject().Select(g => $"{g.Name} {g.Value.GetProperty("scopes").GetRawText()}")
            .ShouldBe(["node []", """operator ["operator.read"]"""]);

        (await StatusAsync(operators, HttpMethod.Delete, Kitchen)).ShouldBe(HttpStatusCode.NoContent);
        Ended again = await ImportAsync(admin, Path.Combine(State, "devices", "paired.json"), "--json");
        Outcomes(again).ShouldBe(["refused-before", "unchanged", "unchanged", "skipped"]);
        (await StatusAsync(operators, HttpMethod.Get, Kitchen)).ShouldBe(HttpStatusCode.NotFound);

        string exported = Path.Combine(_program.Folder, "devices.json");
        await File.WriteAllTextAsync(exported, await operators.GetStringAsync(new Uri("/admin/v1/devices", UriKind.Relative)));
        Ended fromExport = (await ImportAsync(admin, exported, "--json")).ShouldSucceed();
        Outcomes(fromExport).ShouldBe(["unchanged", "unchanged"]);
        (await ImportAsync(admin, _program.Folder + "/nowhere")).ShouldFail(2).ShouldContain("There is no");
        (await ImportAsync(admin, Path.Combine(_program.Folder, "appsettings.json"))).ShouldFail(2).ShouldContain("not a file with devices");
    }

    [Fact]
    public async Task Neither_tokens_nor_private_keys_leave_the_file()
    {
        var sent = new ConcurrentQueue<string>();
        await using WebApplication gateway = await RecordAsync(sent);
        Directory.CreateDirectory(Path.GetDirectoryName(_program.KeyFile)!);
        string paired = Path.Combine(_program.Folder, "paired.json");
        string state = await File.ReadAllTextAsync(Path.Combine(State, "devices", "paired.json"));
        state.ShouldContain("not-a-real-token");
        await File.WriteAllTextAsync(paired, state
            .Replace("\"displayName\": \"Browser\"", "\"displayName\": \"Browser\\u001b[2J\", \"privateKeyPem\": \"not-a-real-private-key\"")
            .Replace("C8pomq3NZn8v95bR8qMszD-IOf3eSKafaL-yxv1nrWc", "-----BEGIN PRIVATE KEY-----not-a-real-private-key-----END PRIVATE KEY-----"));
        await File.WriteAllTextAsync(_program.KeyFile, Key);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_program.KeyFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);

        Ended table = await ImportAsync(gateway.Urls.Single(), paired);
        Ended json = await ImportAsync(gateway.Urls.Single(), paired, "--json");

        Outcomes(json).ShouldBe(["skipped", "added", "added", "skipped"]);
        sent.Count.ShouldBe(2);
        table.Output.ShouldContain("Browser\ufffd[2J");
        foreach (string text in sent.Append(table.Output).Append(table.Error).Append(json.Output).Append(json.Error))
        {
            text.ShouldNotContain("not-a-real");
            text.ShouldNotContain("PRIVATE");
            text.ShouldNotContain("\"token\"");
            text.ShouldNotContain("\u001b");
        }

        await gateway.StopAsync();
        (await ImportAsync(gateway.Urls.FirstOrDefault() ?? "http://127.0.0.1:9", paired)).ShouldFail(3);
    }

    private static string[] Outcomes(Ended ended) =>
        [.. ended.Json.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("outcome").GetString()!)];

    private static async Task<HttpStatusCode> StatusAsync(HttpClient operators, HttpMethod method, string device)
    {
        using var request = new HttpRequestMessage(method, $"/admin/v1/devices/{device}");
        using HttpResponseMessage response = await operators.SendAsync(request);
        return response.StatusCode;
    }

    private static async Task<WebApplication> RecordAsync(ConcurrentQueue<string> sent)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        WebApplication gateway = builder.Build();
        gateway.Urls.Add("http://127.0.0.1:0");
        gateway.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            string body = await reader.ReadToEndAsync();
            if (context.Request.Path == "/admin/v1/proof") // it knows the key, as a gateway does
            {
                string nonce = JsonDocument.Parse(body).RootElement.GetProperty("nonce").GetString()!;
                byte[] proof = KeyProof.OfGateway(KeyProof.HashOf(Key), context.Request.Host.Value!, nonce);
                await context.Response.WriteAsJsonAsync(new { proof = Base64Url.EncodeToString(proof) });
                return;
            }

            sent.Enqueue($"{context.Request.Path}{context.Request.QueryString} {body}");
            using JsonDocument import = JsonDocument.Parse(body);
            string items = string.Join(',', import.RootElement.GetProperty("devices").EnumerateArray().Select(_ => """{"outcome":"added"}"""));
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync($$"""{"dryRun":false,"items":[{{items}}]}""");
        });
        await gateway.StartAsync();
        return gateway;
    }

    private Task<Ended> ImportAsync(string admin, string path, params string[] options) =>
        _program.RunAsync(["devices", "import", path, "--admin-url", admin, .. options]);
}
