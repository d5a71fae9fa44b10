using System.Runtime.CompilerServices;
using ProxyGateway.IntegrationTests.Redis;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>The program with <c>config/redis-cluster.json</c> on top of its configuration, and nothing changed but where the cluster is.</summary>
[Collection(SharedCluster.Name)]
public sealed class RedisClusterProgramTests(SharedCluster.Fixture redis) : IAsyncLifetime
{
    private ProgramUnderTest _program = null!;
    private RunningProgram _agent = null!;

    public async Task InitializeAsync()
    {
        _program = new ProgramUnderTest();
        _agent = await _program.StartAgentAsync();
        File.Copy(Path.Combine(ConfigFolder(), "redis-cluster.json"), Path.Combine(_program.Folder, "appsettings.Production.json"));
    }

    public async Task DisposeAsync()
    {
        await _agent.DisposeAsync();
        _program.Delete();
    }

    [Fact]
    public async Task A_device_that_one_gateway_approves_is_admitted_by_another()
    {
        string[] where = [$"--Registry:Redis:Configuration={redis.Cluster.Configuration}", $"--Registry:Redis:KeyPrefix=test:{Guid.NewGuid():N}:", "--Registry:Redis:Timeout=00:00:10"];
        await using RunningProgram one = _program.StartServer("proxygateway.dll", where);
        await one.PrintsAsync("Application started");
        await using RunningProgram another = _program.StartServer("proxygateway.dll", where);
        await another.PrintsAsync("Application started");

        (await ConnectAsync(one)).ShouldSucceed().Output.ShouldContain("admitted");
        Ended refused = await ConnectAsync(another, "--role", "node");
        refused.ExitCode.ShouldBe(1);
        string request = refused.Json.GetProperty("requestId").GetString()!;
        string operators = await one.PrintsAsync("Operators are served on");
        (await _program.RunAsync("requests", "approve", request, "--admin-url", operators)).ShouldSucceed();

        (await ConnectAsync(another, "--role", "node")).ShouldSucceed();
        (await ConnectAsync(another)).ShouldSucceed();
    }

    private async Task<Ended> ConnectAsync(RunningProgram gateway, params string[] arguments) =>
        await _program.RunAsync(["connect", (await gateway.PrintsAsync("Now listening on:")).Replace("http", "ws"), .. arguments, "--json"]);

    private static string ConfigFolder([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../../config"));
}
