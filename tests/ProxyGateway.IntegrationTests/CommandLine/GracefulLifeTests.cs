using System.Globalization;
using System.Net;
using System.Runtime.Versioning;
using System.Text.Json;
using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>The program is reconfigured and stopped while devices are connected.</summary>
[SupportedOSPlatform("linux")]
public sealed class GracefulLifeTests : IAsyncLifetime
{
    private const string Secret = "secret-token-5d1f0c";

    private readonly ProgramUnderTest _program = new();
    private readonly TestDevice _device = new();
    private RunningProgram _agent = null!;
    private RunningProgram _gateway = null!;
    private Uri _admin = null!;
    private int _port;

    private string Settings => Path.Combine(_program.Folder, "appsettings.json");

    public async Task InitializeAsync()
    {
        _agent = await _program.StartAgentAsync();
        Change(settings => settings["DeviceAuth"] = new JsonObject { ["DrainTime"] = "00:00:08" });
        _gateway = _program.StartServer("proxygateway.dll");
        await _gateway.PrintsAsync("Application started");
        _port = new Uri(await _gateway.PrintsAsync("Now listening on:")).Port;
        _admin = new Uri(await _gateway.PrintsAsync("Operators are served on"));
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _agent.DisposeAsync();
        _program.Delete();
    }

    [Fact]
    public async Task On_SIGTERM_the_gateway_reports_stopping_everywhere_and_ends()
    {
        FrameConnection first = await ConnectAsync();
        FrameConnection second = await ConnectAsync();
        using var operators = new HttpClient { BaseAddress = _admin };
        (await operators.GetAsync("/readyz")).StatusCode.ShouldBe(HttpStatusCode.OK);

        await _gateway.TerminateAsync();
        await ShouldBeToldAsync(first);

        // The second is told half way through; until then the gateway still answers everybody.
        HttpResponseMessage ready = await operators.GetAsync("/readyz");
        ready.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await ready.Content.ReadAsStringAsync()).ShouldContain("urn:proxygateway:problem:stopping");
        (await operators.GetAsync("/healthz")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (int status, string head, Stream stream) = await TestClient.RequestAsync(_port);
        await stream.DisposeAsync();
        status.ShouldBe(503);
        head.ShouldContain("\r\nRetry-After: 1\r\n");
        await ShouldAnswerAsync(second, "still");

        await ShouldBeToldAsync(second);
        (await _gateway.EndsAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task A_reload_ends_no_session_and_one_with_an_error_is_refused_as_a_whole()
    {
        FrameConnection session = await ConnectAsync();

        Change(settings =>
        {
            settings["DeviceAuth"]!["Pairing"] = new JsonObject { ["AutoApprove"] = new JsonObject { ["loopback"] = new JsonObject { ["Enabled"] = false } } };
            settings["ReverseProxy"]!["Routes"]!["other"] = new JsonObject { ["ClusterId"] = "agent", ["Match"] = new JsonObject { ["Path"] = "/other" } };
        });
        await _gateway.PrintsAsync("The configuration was reloaded");
        await ShouldAnswerAsync(session, "after a reload");
        (await AskAsync(new TestDevice())).IsAdmitted.ShouldBeFalse("the new policy is in force");

        Change(settings =>
        {
            settings["DeviceAuth"]!["Pairing"]!["AutoApprove"]!["loopback"]!["Enabled"] = true;
            settings["ReverseProxy"]!["Routes"]!["other"]!["Metadata"] = new JsonObject { ["DeviceAuth"] = "off" };
        });
        (await _gateway.PrintsAsync("A reload of the routes was refused")).ShouldContain("found 'off'");
        (await _gateway.PrintsAsync("A reload of the configuration was refused")).ShouldContain("as a whole");
        await ShouldAnswerAsync(session, "after a refused reload");
        (await AskAsync(new TestDevice())).IsAdmitted.ShouldBeFalse("nothing of it is in force");

        Change(settings =>
        {
            settings["DeviceAuth"]!["Limits"] = new JsonObject { ["HandshakesPerAddres"] = 1 };
            settings["ReverseProxy"]!["Routes"]!["other"]!["Metadata"] = new JsonObject { ["DeviceAuth"] = "Off" };
        });
        await Eventually.HoldsAsync(
            () => Task.FromResult(_gateway.Lines().Any(l => l.Contains("reload of the routes was refused", StringComparison.Ordinal) && l.Contains("as a whole", StringComparison.Ordinal))),
            "the routes wait for the policy");
        (await PlainHttpAsync("/other")).ShouldBe(HttpStatusCode.Forbidden, "the route is not open");

        Change(settings =>
        {
            settings["DeviceAuth"]!["Limits"] = new JsonObject { ["HandshakesPerAddress"] = 8 };
            settings["DeviceAuth"]!["Pairing"]!["AutoApprove"]!["loopback"]!["Enabled"] = true;
        });
        await Eventually.HoldsAsync(async () => await PlainHttpAsync("/other") != HttpStatusCode.Forbidden, "what is in order is taken, all of it");
        await Eventually.HoldsAsync(async () => (await AskAsync(new TestDevice())).IsAdmitted, "the policy with it");
        await ShouldAnswerAsync(session, "after all of this");
    }

    [Fact]
    public async Task The_log_is_structured_and_holds_no_secret()
    {
        await _gateway.DisposeAsync();
        Change(settings => settings["Logging"] = new JsonObject
        {
            ["LogLevel"] = new JsonObject { ["Default"] = "Trace" },
            ["Console"] = new JsonObject { ["FormatterName"] = "json" },
        });
        _gateway = _program.StartServer("proxygateway.dll");
        await _gateway.PrintsAsync("Application started");
        _port = new Uri(ValueOf(await _gateway.PrintsAsync("Now listening on:"))).Port;
        string[] secrets = [Secret, await File.ReadAllTextAsync(_program.KeyFile)];

        await ConnectAsync();
        (await AskAsync(_device, new Ask { Token = Secret, Role = "node" })).IsAdmitted.ShouldBeFalse();
        string? signature = null;
        var forged = new Ask { Token = Secret, Tamper = f => { signature = f["params"]!["device"]!["signature"]!.GetValue<string>(); f["params"]!["role"] = "node"; } };
        (await AskAsync(new TestDevice(), forged)).IsAdmitted.ShouldBeFalse();
        await _gateway.TerminateAsync();
        (await _gateway.EndsAsync()).ShouldBe(0);

        string[] lines = _gateway.Lines();
        lines.ShouldContain(l => l.Contains("\"EventId\":1101", StringComparison.Ordinal));
        foreach (string line in lines.Where(l => l.Length > 0))
        {
            using JsonDocument json = JsonDocument.Parse(line);
            json.RootElement.GetProperty("EventId").ValueKind.ShouldBe(JsonValueKind.Number);
            secrets.Append(signature!).ShouldAllBe(s => !line.Contains(s, StringComparison.Ordinal), line);
        }
    }

    private async Task<HttpStatusCode> PlainHttpAsync(string path)
    {
        using var client = new HttpClient();
        using HttpResponseMessage answer = await client.GetAsync($"http://127.0.0.1:{_port}{path}");
        return answer.StatusCode;
    }

    // In a JSON line the value is followed by more.
    private static string ValueOf(string text) => text[..text.IndexOf('"', StringComparison.Ordinal)].Trim();

    private void Change(Action<JsonObject> change)
    {
        JsonObject settings = JsonNode.Parse(File.ReadAllText(Settings))!.AsObject();
        change(settings);
        string next = Settings + ".next";
        File.WriteAllText(next, settings.ToJsonString());
        File.Move(next, Settings, overwrite: true);
    }

    private async Task<Outcome> AskAsync(TestDevice device, Ask? ask = null)
    {
        FrameConnection client = await TestClient.OpenAsync(_port);
        string nonce = (await client.ReceiveJsonAsync()).GetProperty("payload").GetProperty("nonce").GetString()!;
        await client.SendTextAsync(((ask ?? new Ask { Token = Secret }) with { Nonce = nonce }).SignedBy(device));
        return await TestClient.OutcomeAsync(client);
    }

    private async Task<FrameConnection> ConnectAsync()
    {
        Outcome outcome = await AskAsync(_device);
        outcome.ShouldBeAdmitted();
        return outcome.Client;
    }

    private static async Task ShouldAnswerAsync(FrameConnection session, string what)
    {
        await session.SendTextAsync(string.Create(CultureInfo.InvariantCulture, $$$"""{"type":"req","id":"{{{what}}}","method":"echo","params":{}}"""));
        (await session.ReceiveJsonAsync()).GetProperty("id").GetString().ShouldBe(what);
    }

    private static async Task ShouldBeToldAsync(FrameConnection session)
    {
        Frame close = await session.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1012, "gateway restarting"));
        await session.SendAsync(Opcode.Close, close.Payload);
    }
}
