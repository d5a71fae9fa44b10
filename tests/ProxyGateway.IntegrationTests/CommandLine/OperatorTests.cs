using System.Net;
using System.Net.Http.Headers;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>The commands against a gateway that runs, each a process.</summary>
public sealed class OperatorTests : IAsyncLifetime
{
    private ProgramUnderTest _program = null!;
    private RunningProgram _agent = null!;
    private RunningProgram _gateway = null!;
    private string _url = null!;
    private string _admin = null!;

    public async Task InitializeAsync()
    {
        _program = new ProgramUnderTest();
        _agent = await _program.StartAgentAsync();
        _gateway = _program.StartServer("proxygateway.dll");
        await _gateway.PrintsAsync("Application started");
        _url = (await _gateway.PrintsAsync("Now listening on:")).Replace("http", "ws");
        _admin = await _gateway.PrintsAsync("Operators are served on");
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _agent.DisposeAsync();
        _program.Delete();
    }

    [Fact]
    public async Task A_device_is_refused_approved_shown_and_removed()
    {
        Ended first = await _program.RunAsync("connect", _url, "--scopes", "operator.read", "--json");
        first.ShouldSucceed();
        (first.Json.GetProperty("admitted").GetBoolean(), first.Json.GetProperty("protocol").GetInt32()).ShouldBe((true, 4));
        string device = first.Json.GetProperty("deviceId").GetString()!;

        Ended refused = await _program.RunAsync("connect", _url, "--role", "node", "--json");
        refused.ExitCode.ShouldBe(1);
        refused.Json.GetProperty("admitted").GetBoolean().ShouldBeFalse();
        refused.Json.GetProperty("code").GetString().ShouldBe("PAIRING_REQUIRED");
        refused.Json.GetProperty("reason").GetString().ShouldBe("role-upgrade");
        refused.Json.GetProperty("closeCode").GetInt32().ShouldBe(1008);
        string request = refused.Json.GetProperty("requestId").GetString()!;
        refused.Json.GetProperty("remediationHint").GetString()!.ShouldContain(request);

        Ended list = (await OperateAsync("requests", "list", "--json")).ShouldSucceed();
        list.Json.GetProperty("items").EnumerateArray().Select(r => r.GetProperty("id").GetString()).ShouldBe([request]);
        string table = (await OperateAsync("requests", "list")).ShouldSucceed().Output;
        table.ShouldContain(request);
        table.ShouldContain("role-upgrade");

        (await OperateAsync("requests", "approve", request[..17])).ShouldFail(2).ShouldContain("is too short");
        Ended approved = (await OperateAsync("requests", "approve", request[..18], "--json")).ShouldSucceed();
        approved.Json.GetProperty("grants").EnumerateObject().Select(g => g.Name).ShouldBe(["node", "operator"]);
        (await _program.RunAsync("connect", _url, "--role", "node")).ShouldSucceed().Output.ShouldContain("admitted");

        (await OperateAsync("devices", "list", "--json")).ShouldSucceed().Json.GetProperty("items").GetArrayLength().ShouldBe(1);
        (await OperateAsync("devices", "list")).ShouldSucceed().Output.ShouldContain(DeviceId.Parse(device).Fingerprint);
        (await OperateAsync("devices", "show", device[..8], "--json")).ShouldSucceed().Json.GetProperty("id").GetString().ShouldBe(device);
        (await OperateAsync("devices", "show", device)).ShouldSucceed().Output.ShouldContain("operator.read");

        (await OperateAsync("devices", "remove", device[..8], "--json")).ShouldSucceed().Json.GetProperty("removed").GetBoolean().ShouldBeTrue();
        (await OperateAsync("devices", "show", device)).ShouldFail(1).ShouldContain("no such device");
        (await _program.RunAsync("connect", _url, "--scopes", "operator.read")).ExitCode.ShouldBe(1);
    }

    [Fact]
    public async Task The_program_streams_events_and_lists_its_audit()
    {
        using var operators = new HttpClient { BaseAddress = new Uri(_admin) };
        operators.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", await File.ReadAllTextAsync(_program.KeyFile));

        using HttpResponseMessage events = await operators.GetAsync(new Uri("/admin/v1/events", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        using HttpResponseMessage audit = await operators.GetAsync(new Uri("/admin/v1/audit", UriKind.Relative));

        events.StatusCode.ShouldBe(HttpStatusCode.OK);
        using var lines = new StreamReader(await events.Content.ReadAsStreamAsync());
        (await lines.ReadLineAsync()).ShouldNotBeNull().ShouldStartWith("id: ");
        (await lines.ReadLineAsync()).ShouldBe("event: ready");
        audit.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Fewer_scopes_can_be_approved_and_more_are_refused()
    {
        await _program.RunAsync("connect", _url);
        string request = await AskAsync("--role", "node", "--scopes", "a,b");

        (await OperateAsync("requests", "approve", request, "--scopes", "c")).ShouldFail(1).ShouldContain("not covered");
        (await OperateAsync("requests", "approve", request[..17])).ShouldFail(2).ShouldContain("is too short");
        Ended approved = (await OperateAsync("requests", "approve", request, "--scopes", "a", "--json")).ShouldSucceed();
        approved.Json.GetProperty("grants").GetProperty("node").GetProperty("scopes").EnumerateArray().Select(v => v.GetString()).ShouldBe(["a"]);
        (await OperateAsync("requests", "reject", request)).ShouldFail(1).ShouldContain("resolved");
    }

    [Fact]
    public async Task Other_roles_are_approved_at_once_before_the_device_asks_for_them()
    {
        await _program.RunAsync("connect", _url);
        string node = await AskAsync("--role", "node", "--scopes", "a");
        string watcher = await AskAsync("--role", "watcher");
        (await OperateAsync("requests", "show", node)).ShouldSucceed().Output.ShouldMatch($@"also asks to be\s+watcher: \(none\) \(request {watcher}\)");

        (await OperateAsync("requests", "approve", node, "--also", "..:a")).ShouldFail(2).ShouldContain("no role");
        (await OperateAsync("requests", "approve", node, "--also", "builder:a b")).ShouldFail(2).ShouldContain("no scope");
        Ended approved = (await OperateAsync(
            "requests", "approve", node, "--also", "watcher", "--also", "operator:operator.read,operator.pairing", "--also", "operator:b:c", "--json")).ShouldSucceed();

        approved.Json.GetProperty("grants").EnumerateObject().Select(g => $"{g.Name} {string.Join(' ', g.Value.GetProperty("scopes").EnumerateArray())}")
            .ShouldBe(["node a", "operator b:c operator.pairing operator.read", "watcher "]);
        (await OperateAsync("requests", "list")).ShouldSucceed().Output.ShouldContain("Nothing waits");
        (await _program.RunAsync("connect", _url, "--role", "watcher")).ShouldSucceed();
        (await _program.RunAsync("connect", _url, "--scopes", "operator.pairing")).ShouldSucceed();
    }

    [Fact]
    public async Task A_waiting_client_is_admitted_once_it_is_approved()
    {
        await _program.RunAsync("connect", _url);
        Task<Ended> waiting = _program.RunAsync("connect", _url, "--role", "node", "--wait", "--json");

        string? request = null;
        await Eventually.HoldsAsync(
            async () => (request = (await OperateAsync("requests", "list", "--json")).Json.GetProperty("items").EnumerateArray()
                .Select(r => r.GetProperty("id").GetString()).FirstOrDefault()) is not null,
            "the request is open");
        (await OperateAsync("requests", "approve", request!)).ShouldSucceed();

        Ended ended = (await waiting).ShouldSucceed();
        ended.Json.GetProperty("admitted").GetBoolean().ShouldBeTrue();
        ended.Error.ShouldContain(request!);
    }

    [Fact]
    public async Task A_rejected_client_stops_waiting()
    {
        await _program.RunAsync("connect", _url);
        string request = await AskAsync("--role", "node");
        (await OperateAsync("requests", "reject", request)).ShouldSucceed().Output.ShouldContain("Rejected");

        Ended ended = await _program.RunAsync("connect", _url, "--role", "node", "--wait", "--json");

        ended.ExitCode.ShouldBe(1);
        ended.Json.GetProperty("requestId").GetString().ShouldBe(request);
    }

    [Fact]
    public async Task The_key_is_taken_from_the_environment_or_a_file()
    {
        string other = Path.Combine(_program.Folder, "other.key");
        File.Copy(_program.KeyFile, other);
        var elsewhere = new ProgramUnderTest();

        (await elsewhere.RunAsync("devices", "list", "--admin-url", _admin)).ShouldFail(1).ShouldContain("--key-file");
        (await elsewhere.RunAsync("devices", "list", "--admin-url", _admin, "--key-file", other)).ShouldSucceed();
        elsewhere.Delete();

        File.WriteAllText(other, new string('x', 43));
        (await OperateAsync("devices", "list", "--key-file", other)).ShouldFail(1).ShouldContain("does not know this key");
    }

    [Fact]
    public async Task Two_gateways_do_not_share_ports_or_files()
    {
        Ended samePort = await _program.RunAsync($"--Urls={_url.Replace("ws", "http")}", "Registry:Sqlite:Path=other.db");
        samePort.ExitCode.ShouldBe(1);
        samePort.Error.Trim().ShouldStartWith("proxygateway: Failed to bind");
        samePort.Error.Trim().Split('\n').Length.ShouldBe(1, samePort.Error);
        samePort.Output.ShouldNotContain("\n   at "); // no stack trace

        Ended sameFile = await _program.RunAsync();
        sameFile.ExitCode.ShouldBe(1);
        sameFile.Error.ShouldContain("in use by another process");
    }

    private Task<Ended> OperateAsync(params string[] arguments) => _program.RunAsync([.. arguments, "--admin-url", _admin]);

    private async Task<string> AskAsync(params string[] arguments)
    {
        Ended refused = await _program.RunAsync(["connect", _url, "--json", .. arguments]);
        refused.ExitCode.ShouldBe(1, refused.Error);
        return refused.Json.GetProperty("requestId").GetString()!;
    }
}
