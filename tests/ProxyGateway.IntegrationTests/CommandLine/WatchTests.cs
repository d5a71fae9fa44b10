using System.Diagnostics;
using System.Text.Json;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>Requests and events as they come: for a script a line each, at a terminal decided on a key press.</summary>
public sealed class WatchTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task A_script_gets_each_request_once_as_a_line_of_JSON()
    {
        (TestDevice device, _) = await gateway.PairAsync();
        string before = await gateway.AskAsync(device, "before");
        await using RunningProgram watch = gateway.Program.StartServer("proxygateway.dll", "requests", "watch", "--json", "--admin-url", gateway.Admin);
        await watch.PrintsAsync(before);

        string after = await gateway.AskAsync(device, "after");

        JsonElement request = JsonDocument.Parse("{\"id\":\"" + after + await watch.PrintsAsync(after)).RootElement;
        request.GetProperty("newScopes")[0].GetString().ShouldBe("after");
        watch.Lines().Count(line => line.Contains(before)).ShouldBe(1);
    }

    [Fact]
    public async Task Events_are_followed_and_filtered()
    {
        (TestDevice device, _) = await gateway.PairAsync();
        string id = device.Id.ToString();
        await using RunningProgram follow = gateway.Program.StartServer(
            "proxygateway.dll", "audit", "--follow", "--json", "--device", id, "--kind", "device-labelled", "--admin-url", gateway.Admin);

        // It is told only what happens once it listens.
        await Eventually.HoldsAsync(
            async () =>
            {
                (await gateway.OperateAsync("devices", "label", id, $"label {Guid.NewGuid():N}")).ShouldSucceed();
                return follow.Lines().Length > 0;
            },
            "it is told");

        follow.Lines().ShouldAllBe(line => line.Contains("\"kind\":\"device-labelled\"") && line.Contains(id));
    }

    [Fact]
    public async Task At_a_terminal_a_key_press_approves_some_rejects_and_ends()
    {
        if (!File.Exists("/usr/bin/script"))
            return; // a part of every Debian's util-linux; elsewhere there is no other way to a terminal
        (TestDevice device, _) = await gateway.PairAsync();
        (TestDevice other, _) = await gateway.PairAsync();
        using Terminal terminal = Terminal.Run(gateway.Program, $"requests watch --admin-url {gateway.Admin}");
        await terminal.ShowsAsync("q ends");

        string some = await gateway.AskAsync(device, "camera", "mic");
        await terminal.ShowsAsync(some);
        await terminal.ShowsAsync("[q]uit");
        terminal.Type("s");
        await terminal.ShowsAsync("Which of camera mic?");
        terminal.Type("camera\r");
        await terminal.ShowsAsync("Approved. node: camera");

        string earlier = await gateway.AskAsync(other, "screen");
        await terminal.ShowsAsync(earlier);
        await terminal.ShowsAsync("[q]uit");
        terminal.Type(" ");
        string rejected = await gateway.AskAsync(other, "contacts");
        await terminal.ShowsAsync(rejected);
        await terminal.ShowsAsync($"node: screen (request {earlier})");
        await terminal.ShowsAsync("[q]uit");
        terminal.Type("r");
        await terminal.ShowsAsync("Rejected.");
        terminal.Type("q");
        (await terminal.EndsAsync()).ShouldBe(0);

        (await gateway.ConnectAsync(device, new Ask { Role = "node", Scopes = ["camera"] })).ShouldBeAdmitted();
        (await gateway.ConnectAsync(other, new Ask { Role = "node", Scopes = ["contacts"] })).ShouldBeClosed(1008, "pairing rejected");
    }

    [Fact]
    public async Task At_a_terminal_nothing_is_removed_without_confirmation()
    {
        if (!File.Exists("/usr/bin/script"))
            return;
        (TestDevice device, _) = await gateway.PairAsync();
        using (Terminal no = Terminal.Run(gateway.Program, $"devices remove {device.Id} --admin-url {gateway.Admin}"))
        {
            await no.ShowsAsync("Go on? [y/N]");
            no.Type("\r");
            (await no.EndsAsync()).ShouldBe(1);
        }

        (await gateway.OperateAsync("devices", "show", device.Id.ToString())).ShouldSucceed();
        using Terminal yes = Terminal.Run(gateway.Program, $"devices remove {device.Id} --admin-url {gateway.Admin}");
        await yes.ShowsAsync("Go on? [y/N]");
        (await gateway.OperateAsync("devices", "label", device.Id.ToString(), "mine")).ShouldSucceed();
        yes.Type("y\r");

        await yes.ShowsAsync("It was changed meanwhile"); // since it was shown
        (await yes.EndsAsync()).ShouldBe(1);
    }

    [Fact]
    public async Task A_shell_completes_what_the_program_knows()
    {
        foreach (string shell in new[] { "bash", "zsh", "fish" })
            (await gateway.Program.RunAsync("completion", shell)).ShouldSucceed().Output.ShouldContain("[suggest:");
        (await gateway.Program.RunAsync("completion", "powershell")).ShouldFail(2);

        // The program as a command on the path, and bash as it completes.
        string bin = Path.Combine(gateway.Program.Folder, "bin");
        Directory.CreateDirectory(bin);
        string command = Path.Combine(bin, "proxygateway");
        await File.WriteAllTextAsync(command, $"#!/bin/bash\nexec {BuiltProgram.Line} \"$@\"\n");
        const string completing = """
            chmod +x bin/proxygateway; PATH=$PWD/bin:$PATH; source <(proxygateway completion bash)
            COMP_LINE='proxygateway devices gr' COMP_POINT=23 COMP_WORDS=(proxygateway devices gr) COMP_CWORD=2
            _proxygateway; echo "${COMPREPLY[@]}"
            """;
        using Process bash = Process.Start(new ProcessStartInfo("bash", ["-c", completing])
        {
            WorkingDirectory = gateway.Program.Folder,
            UseShellExecute = false,
            RedirectStandardOutput = true,
        })!;
        string completed = await bash.StandardOutput.ReadToEndAsync();
        await bash.WaitForExitAsync();

        completed.Trim().ShouldBe("grant");
    }
}
