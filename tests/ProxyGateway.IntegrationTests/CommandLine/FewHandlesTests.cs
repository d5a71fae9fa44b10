using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>The program where file handles are few, and somebody takes all there are.</summary>
[SupportedOSPlatform("linux")]
public sealed class FewHandlesTests : IAsyncLifetime
{
    private const int Limit = 400; // of which the program itself needs 280 or so

    private readonly ProgramUnderTest _program = new();
    private readonly TestDevice _device = new();
    private readonly List<Socket> _idle = [];
    private RunningProgram _agent = null!;
    private RunningProgram _gateway = null!;
    private Uri _admin = null!;
    private int _port;

    public async Task InitializeAsync() => _agent = await _program.StartAgentAsync();

    public async Task DisposeAsync()
    {
        _idle.ForEach(s => s.Dispose());
        await _gateway.DisposeAsync();
        await _agent.DisposeAsync();
        _program.Delete();
    }

    [Fact]
    public async Task Idle_connections_past_the_limit_end_no_session_and_shut_no_device_out()
    {
        await StartAsync();
        Outcome session = await ShouldBeAdmittedAsync();
        await session.Client.DisposeAsync();
        session = await ShouldBeAdmittedAsync(); // what is loaded on demand is loaded
        int before = Handles();

        await ConnectIdlyAsync(_port, Limit + 50, _ => IPAddress.Loopback);
        await ShouldServeAsync(session);
        await ConnectIdlyAsync(_port, 100, i => IPAddress.Parse($"127.0.0.{2 + (i % 50)}"));
        await ConnectIdlyAsync(_admin.Port, Limit, _ => IPAddress.Loopback);
        await ShouldServeAsync(session);

        Handles().ShouldBeLessThan(Limit);
        TimeSpan busy = await BusyInASecondAsync();
        busy.ShouldBeLessThan(TimeSpan.FromMilliseconds(700), "nothing spins");
        _gateway.Lines().Count(l => l.Contains("[1221]", StringComparison.Ordinal)).ShouldBeInRange(1, 130, "thirty a minute for each port");
        _gateway.Lines().ShouldNotContain(l => l.Contains("[343]", StringComparison.Ordinal) || l.Contains("[30]", StringComparison.Ordinal));

        _idle.ForEach(s => s.Dispose());
        await session.Client.DisposeAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(Handles() <= before + 8), "handles come back");
    }

    [Fact]
    public async Task Streams_of_HTTP2_count_as_connections()
    {
        await StartAsync(settings =>
        {
            settings["Kestrel"] = new JsonObject { ["EndpointDefaults"] = new JsonObject { ["Protocols"] = "Http2" } };
            settings["DeviceAuth"] = new JsonObject { ["Limits"] = new JsonObject { ["Connections"] = 6, ["HandshakesPerAddress"] = 100 } };
        });
        using var handler = new SocketsHttpHandler();
        using var invoker = new HttpMessageInvoker(handler);
        var statuses = new List<HttpStatusCode>();
        var open = new List<ClientWebSocket>();
        for (int i = 0; i < 6; i++)
        {
            var socket = new ClientWebSocket();
            socket.Options.HttpVersion = HttpVersion.Version20;
            socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
            socket.Options.CollectHttpResponseDetails = true;
            try
            {
                await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{_port}/"), invoker, default);
            }
            catch (WebSocketException)
            {
                // Its status says why.
            }

            statuses.Add(socket.HttpStatusCode);
            open.Add(socket);
        }

        statuses.Count(s => s == HttpStatusCode.OK).ShouldBeInRange(1, 5);
        statuses[^1].ShouldBe(HttpStatusCode.ServiceUnavailable, "three quarters of six, or half of them for handshakes");
        open.ForEach(s => s.Dispose());
    }

    [Fact]
    public async Task An_operators_key_stays_valid_while_no_handle_is_left_to_read_its_file()
    {
        await StartAsync();
        using HttpClient operators = Operators();
        (await operators.GetAsync("/admin/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);

        await LimitHandlesAsync(10);
        await _gateway.PrintsAsync("the previous key stays valid");
        (await operators.GetAsync("/admin/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
        await LimitHandlesAsync(Limit);

        // What is wrong with the file itself counts as ever.
        File.SetUnixFileMode(_program.KeyFile, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        await _gateway.PrintsAsync("No operator is admitted");
        (await operators.GetAsync("/admin/v1/me")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        await LimitHandlesAsync(10);
        await _gateway.PrintsAsync("cannot be read or made");
        await ShouldNotBeAdmittedAsync(operators);
        await LimitHandlesAsync(Limit);
    }

    // Where handles are short, a connection without a valid key may be closed for another one at any moment.
    private static async Task ShouldNotBeAdmittedAsync(HttpClient operators)
    {
        try
        {
            (await operators.GetAsync("/admin/v1/me")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        }
        catch (HttpRequestException e) when (e.InnerException is IOException)
        {
        }
    }

    private async Task StartAsync(Action<JsonObject>? change = null)
    {
        if (change is not null)
        {
            string file = Path.Combine(_program.Folder, "appsettings.json");
            JsonObject settings = JsonNode.Parse(await File.ReadAllTextAsync(file))!.AsObject();
            change(settings);
            await File.WriteAllTextAsync(file, settings.ToJsonString());
        }

        _gateway = _program.StartServerInShell($"ulimit -n {Limit}; exec \"$@\"", "proxygateway.dll");
        await _gateway.PrintsAsync("Application started");
        _port = new Uri(await _gateway.PrintsAsync("Now listening on:")).Port;
        _admin = new Uri(await _gateway.PrintsAsync("Operators are served on"));
    }

    private async Task ConnectIdlyAsync(int port, int count, Func<int, IPAddress> from)
    {
        for (int i = 0; i < count; i++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(from(i), 0));
            await socket.ConnectAsync(IPAddress.Loopback, port).WaitAsync(Eventually.Patience);
            _idle.Add(socket);
        }
    }

    private async Task ShouldServeAsync(Outcome session)
    {
        await session.Client.SendTextAsync("""{"type":"req","id":"still","method":"echo","params":{}}""");
        (await session.Client.ReceiveJsonAsync()).GetProperty("id").GetString().ShouldBe("still");
        for (int i = 0; i < 5; i++)
            await (await ShouldBeAdmittedAsync()).Client.DisposeAsync();

        using HttpClient operators = Operators();
        (await operators.GetAsync("/admin/v1/me")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await operators.GetStringAsync("/admin/v1/devices")).ShouldContain(_device.Id.ToString());
    }

    private async Task<Outcome> ShouldBeAdmittedAsync()
    {
        FrameConnection client = await TestClient.OpenAsync(_port);
        string nonce = (await client.ReceiveJsonAsync()).GetProperty("payload").GetProperty("nonce").GetString()!;
        await client.SendTextAsync(new Ask { Nonce = nonce }.SignedBy(_device));
        Outcome outcome = await TestClient.OutcomeAsync(client);
        outcome.ShouldBeAdmitted();
        return outcome;
    }

    private HttpClient Operators()
    {
        var operators = new HttpClient { BaseAddress = _admin };
        operators.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", File.ReadAllText(_program.KeyFile));
        return operators;
    }

    private int Handles() => Directory.GetFileSystemEntries($"/proc/{_gateway.ProcessId}/fd").Length;

    private async Task<TimeSpan> BusyInASecondAsync()
    {
        using var process = Process.GetProcessById(_gateway.ProcessId);
        TimeSpan before = process.TotalProcessorTime;
        await Task.Delay(TimeSpan.FromSeconds(1)); // what is measured is time
        process.Refresh();
        return process.TotalProcessorTime - before;
    }

    private async Task LimitHandlesAsync(int limit)
    {
        using Process prlimit = Process.Start("prlimit", ["--pid", $"{_gateway.ProcessId}", $"--nofile={limit}:{Limit}"]);
        await prlimit.WaitForExitAsync();
        prlimit.ExitCode.ShouldBe(0);
    }
}
