using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using ModelContextProtocol;
using ModelContextProtocol.AspNetCore;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Clients.Mcp;

/// <summary>The command <c>mcp</c> as hosts run it, in front of a server of the official SDK behind a gate.</summary>
[SupportedOSPlatform("linux")]
public sealed class McpCommandTests
{
    private const string Slow = """{"jsonrpc":"2.0","id":"slow","method":"tools/call","params":{"name":"slow","_meta":{"progressToken":"p"}}}""";
    private const string Echo = """{"jsonrpc":"2.0","id":"echo","method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}""";

    [Theory]
    [InlineData(HttpServerSessionMode.Stateless, null, "Device-Proof")]
    [InlineData(HttpServerSessionMode.Stateless, "2026-07-28", "DPoP")]
    [InlineData(HttpServerSessionMode.Stateful, "2025-11-25", "Device-Proof")]
    public async Task A_host_lists_the_tools_and_calls_one(HttpServerSessionMode mode, string? revision, string header)
    {
        await using McpSetting setting = await McpSetting.StartAsync(mode, header: header);
        await using McpClient host = await setting.ConnectAsync(revision);

        (await host.ListToolsAsync()).Select(t => t.Name).ShouldBe(["echo", "look", "slow"], ignoreOrder: true);
        (await TextOfAsync(host, "echo", ("text", "hello\n\u2028 'wörld'"))).ShouldBe("hello\n\u2028 'wörld'");
        (await TextOfAsync(host, "look", ("region", "Köln"))).ShouldBe("Köln");
    }

    [Fact]
    public async Task Five_hosts_that_start_at_once_on_one_key_file_are_one_device()
    {
        await using McpSetting setting = await McpSetting.StartAsync();

        McpClient[] hosts = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => setting.ConnectAsync()));

        string[] answers = await Task.WhenAll(hosts.Select((host, i) => TextOfAsync(host, "echo", ("text", $"{i}"))));
        answers.ShouldBe(["0", "1", "2", "3", "4"]);
        foreach (McpClient host in hosts)
            await host.DisposeAsync();
        (await setting.Services.GetRequiredService<DeviceRegistry>().ListDevicesAsync(null, 10, default)).Items.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_host_is_told_what_to_do_until_the_device_is_approved_and_nothing_has_to_be_restarted()
    {
        await using McpSetting setting = await McpSetting.StartAsync(HttpServerSessionMode.Stateful, approves: false);
        await using McpProgram program = setting.Start();

        JsonNode error = (await program.AskAsync(McpHost.Initialize))["error"].ShouldNotBeNull();
        string request = ((string?)error["data"]!["requestId"]).ShouldNotBeNull();
        ((string?)error["message"]).ShouldNotBeNull().ShouldContain("proxygateway requests approve " + request);
        ((string?)error["message"]).ShouldNotBeNull().ShouldContain("fingerprint");
        (await Should.ThrowAsync<McpException>(() => setting.ConnectAsync("2025-11-25"))).Message.ShouldContain(request, Case.Sensitive, "hosts show the message");
        await program.SayAsync(McpHost.Initialized);
        await Eventually.HoldsAsync(() => Task.FromResult(program.Errors.Contains("notifications/initialized was not delivered")), "a notification has no answer");

        await setting.ApproveAsync(request);

        (await program.AskAsync(McpHost.Initialize))["result"].ShouldNotBeNull();
        await program.SayAsync(McpHost.Initialized);
        (await program.AskAsync(Echo))["result"].ShouldNotBeNull();
        program.Errors.ShouldContain("lets this device in");
        (await program.EndAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task A_removal_ends_a_call_and_the_next_approval_is_enough()
    {
        await using McpSetting setting = await McpSetting.StartAsync(HttpServerSessionMode.Stateful);
        await using McpProgram program = setting.Start();
        await program.AskAsync(McpHost.Initialize);
        await program.SayAsync(McpHost.Initialized);
        ((string?)(await program.AskAsync(Slow))["method"]).ShouldBe("notifications/progress");

        await setting.RemoveAsync();

        JsonNode ended = (await program.HearAsync()).ShouldNotBeNull();
        ((string?)ended["id"], (int?)ended["error"]?["code"]).ShouldBe(("slow", -31502));
        JsonNode refused = await program.AskAsync(Echo);
        string request = ((string?)refused["error"]?["data"]?["requestId"]).ShouldNotBeNull(refused.ToJsonString());

        await setting.ApproveAsync(request);

        JsonNode answer = await program.AskAsync(Echo);
        answer["result"].ShouldNotBeNull($"{answer.ToJsonString()}\n{program.Errors}");
        setting.Tools.Slow.ShouldBe(1);
    }

    [Fact]
    public async Task The_gates_restart_costs_a_call_that_is_under_way_and_nothing_else()
    {
        await using McpSetting setting = await McpSetting.StartAsync(HttpServerSessionMode.Stateful);
        await using McpProgram program = setting.Start();
        await program.AskAsync(McpHost.Initialize);
        await program.SayAsync(McpHost.Initialized);
        await program.AskAsync(Slow);

        Func<Task> start = await setting.StopGateAsync();
        JsonNode lost = (await program.HearAsync()).ShouldNotBeNull();
        await program.SayAsync(Echo);
        await Eventually.HoldsAsync(() => Task.FromResult(program.Errors.Contains("cannot be reached")), "the call waits");
        await start();

        ((string?)lost["id"], lost["error"] is not null).ShouldBe(("slow", true));
        JsonNode answer = (await program.HearAsync()).ShouldNotBeNull();
        ((string?)answer["id"], answer["result"] is not null).ShouldBe(("echo", true), program.Errors);
        setting.Tools.Slow.ShouldBe(1, "a tool is not called twice");
    }

    [Fact]
    public async Task The_servers_restart_costs_nothing_although_it_forgets_the_session()
    {
        await using McpSetting setting = await McpSetting.StartAsync(HttpServerSessionMode.Stateful);
        await using McpClient host = await setting.ConnectAsync("2025-11-25");
        (await host.ListToolsAsync()).Count.ShouldBe(3);

        await setting.RestartServerAsync();

        (await TextOfAsync(host, "echo", ("text", "hello"))).ShouldBe("hello");
    }

    [Fact]
    public async Task An_invitation_in_the_address_is_enough()
    {
        await using McpSetting setting = await McpSetting.StartAsync(approves: false);
        var terms = new InvitationTerms(Audience.Default, "client", ScopeSet.Of("mcp.call"), TimeSpan.FromMinutes(10));
        MadeInvitation made = await setting.Services.GetRequiredService<Invitations>().MakeAsync(terms, new Operator("alice"), ScopeImplications.Default, default);
        await using McpClient host = await setting.ConnectAsync(url: $"{setting.Url}#invitation={made.Secret}&role=client&scopes=mcp.call");

        (await TextOfAsync(host, "echo", ("text", "hello"))).ShouldBe("hello");
    }

    [Fact]
    public async Task A_signal_ends_it_with_what_is_under_way()
    {
        await using McpSetting setting = await McpSetting.StartAsync(HttpServerSessionMode.Stateful);
        await using McpProgram program = setting.Start();
        await program.AskAsync(McpHost.Initialize);
        await program.SayAsync(McpHost.Initialized);
        await program.AskAsync(Slow);

        (await program.TerminateAsync()).ShouldBe(1, "a call had no answer");

        (await program.HearAsync()).ShouldBeNull();
    }

    private static async Task<string> TextOfAsync(McpClient host, string tool, params (string Name, object? Value)[] arguments) =>
        (await host.CallToolAsync(tool, arguments.ToDictionary(a => a.Name, a => a.Value))).Content.OfType<TextContentBlock>().Single().Text;
}
