using System.Text.Json.Nodes;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>The probe of containers: it has no key, and needs none.</summary>
public sealed class HealthCommandTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task A_gateway_that_can_admit_devices_is_healthy_by_its_socket_and_by_its_address()
    {
        (await gateway.Program.RunAsync("health")).ShouldSucceed().Output.ShouldBe("ok\n");
        (await gateway.Program.RunAsync("health", "--live")).ShouldSucceed().Output.ShouldBe("ok\n");

        var elsewhere = new ProgramUnderTest(); // without a key
        try
        {
            (await elsewhere.RunAsync("health", "--admin-url", gateway.Admin)).ShouldSucceed();
            (await elsewhere.RunAsync("health", "--admin-url", "unix:" + Path.Combine(gateway.Program.Folder, "data", "admin.sock"))).ShouldSucceed();
            (await elsewhere.RunAsync("health", "--admin-url", $"http://127.0.0.1:{ServerPorts.Take()}")).ShouldFail(3);
            (await elsewhere.RunAsync("health", "--admin-url", "unix:data/none.sock")).ShouldFail(3);
        }
        finally
        {
            elsewhere.Delete();
        }
    }

    [Fact]
    public async Task A_gateway_whose_registry_is_away_lives_and_is_not_healthy()
    {
        var program = new ProgramUnderTest();
        program.Configure("http://127.0.0.1:1");
        string settings = Path.Combine(program.Folder, "appsettings.json");
        JsonObject changed = JsonNode.Parse(await File.ReadAllTextAsync(settings))!.AsObject();
        changed["Registry"] = new JsonObject { ["Provider"] = "Redis", ["Redis"] = new JsonObject { ["Configuration"] = $"127.0.0.1:{ServerPorts.Take()}" } };
        await File.WriteAllTextAsync(settings, changed.ToJsonString());
        RunningProgram running = program.StartServer("proxygateway.dll");
        try
        {
            await running.PrintsAsync("Application started");

            (await program.RunAsync("health")).ShouldFail(1).ShouldContain("registry");
            (await program.RunAsync("health", "--live")).ShouldSucceed();
        }
        finally
        {
            await running.DisposeAsync();
            program.Delete();
        }
    }
}
