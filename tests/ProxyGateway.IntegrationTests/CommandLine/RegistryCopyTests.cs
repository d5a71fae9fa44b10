using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Redis;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary><c>proxygateway registry copy</c>, as a process.</summary>
[Collection(SharedRedis.Name)]
public sealed class RegistryCopyTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly ProgramUnderTest _program = new();
    private readonly DeviceClaim _paired = Some.Claim("operator", "operator.read");
    private readonly DeviceClaim _removed = Some.Claim();
    private readonly string _redis;

    public RegistryCopyTests(SharedRedis.Fixture redis)
    {
        _redis = redis.Server.EndPoint;
        File.WriteAllText(Path.Combine(_program.Folder, "appsettings.json"), $$"""
            { "Registry": { "Sqlite": { "Path": "first.db" }, "Redis": { "Configuration": "{{_redis}}", "KeyPrefix": "test:{{Guid.NewGuid():N}}:" } } }
            """);
    }

    public void Dispose() => _program.Delete();

    [Fact]
    public async Task A_registry_is_copied_from_a_file_to_Redis_and_into_another_file()
    {
        PairingRequest open = await FillAsync("first.db");

        Ended there = (await _program.RunAsync("registry", "copy", "--from", "sqlite", "--to", "redis")).ShouldSucceed();
        Ended back = (await _program.RunAsync("registry", "copy", "--from", $"redis:{_redis}", "--to", "sqlite:second.db", "--json")).ShouldSucceed();

        there.Output.Trim().ShouldBe($"Copied 2 devices from the file first.db to Redis at {_redis}: 1 paired, 1 with refusals, 1 open requests.");
        back.Json.GetProperty("devices").GetInt32().ShouldBe(2);
        await using SqliteDeviceStore first = Open("first.db");
        await using SqliteDeviceStore second = Open("second.db");
        foreach (DeviceClaim claim in new[] { _paired, _removed })
        {
            DeviceDocument.Serialize((await second.GetAsync(claim.Device, None)).Record!)
                .ShouldBe(DeviceDocument.Serialize((await first.GetAsync(claim.Device, None)).Record!));
        }

        var registry = new DeviceRegistry(second);
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        (await registry.AdmitAsync(_removed, Some.Loopback, silent, None)).ShouldBeOfType<Admission.Refused>("no rule pairs it again");
        (await registry.AdmitAsync(_paired, Some.Loopback, silent, None)).ShouldBeOfType<Admission.Admitted>();
        (await registry.ApproveAsync(open.Id, scopes: null, Some.Operator, Some.Rules, None))!.Outcome.ShouldBe(DecisionOutcome.Done);
    }

    [Fact]
    public async Task A_copy_over_another_registry_is_refused()
    {
        await FillAsync("first.db");
        await using (SqliteDeviceStore other = Open("other.db"))
            await new DeviceRegistry(other).AdmitAsync(Some.Claim(), Some.Origin, Some.Rules, None);

        string error = (await _program.RunAsync("registry", "copy", "--from", "sqlite", "--to", "sqlite:other.db")).ShouldFail(1);

        error.ShouldContain("Nothing was copied");
        error.ShouldContain("other.db");
    }

    [Fact]
    public async Task A_copy_of_a_file_in_use_is_refused_and_the_file_is_named()
    {
        await using SqliteDeviceStore used = Open("first.db");

        (await _program.RunAsync("registry", "copy", "--from", "sqlite", "--to", "sqlite:second.db")).ShouldFail(1).ShouldContain("first.db is in use");
    }

    [Fact]
    public async Task A_missing_source_file_is_not_created()
    {
        (await _program.RunAsync("registry", "copy", "--from", "sqlite:none.db", "--to", "sqlite:second.db")).ShouldFail(1).ShouldContain("none.db");

        File.Exists(Path.Combine(_program.Folder, "none.db")).ShouldBeFalse();
        File.Exists(Path.Combine(_program.Folder, "second.db")).ShouldBeFalse();
    }

    [Fact]
    public async Task A_Redis_that_cannot_be_reached_is_named_without_its_password()
    {
        string error = (await _program.RunAsync("registry", "copy", "--from", "redis:password=hunter2,127.0.0.1:1", "--to", "sqlite:second.db")).ShouldFail(1);

        error.ShouldContain("127.0.0.1:1");
        error.ShouldNotContain("hunter2");
    }

    [Theory]
    [InlineData("paper:a", "sqlite:b")]
    [InlineData("sqlite:a", "redis:127.0.0.1,passwrod=hunter2")]
    public async Task An_invalid_location_of_a_registry_exits_with_2(string from, string to)
    {
        await FillAsync("a");

        (await _program.RunAsync("registry", "copy", "--from", from, "--to", to)).ShouldFail(2).ShouldNotContain("hunter2");
    }

    private SqliteDeviceStore Open(string name) => SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path.Combine(_program.Folder, name) }, TimeProvider.System);

    /// <summary>A paired device that asks for another role, and a removed one.</summary>
    private async Task<PairingRequest> FillAsync(string name)
    {
        await using SqliteDeviceStore store = Open(name);
        var registry = new DeviceRegistry(store);
        foreach (DeviceClaim claim in new[] { _paired, _removed })
            await registry.ApproveAsync((await AskAsync(claim)).Id, scopes: null, Some.Operator, Some.Rules, None);
        await registry.RemoveAsync(_removed.Device, Some.Operator, Some.Rules, None);
        return await AskAsync(_paired.Asking("node"));

        async Task<PairingRequest> AskAsync(DeviceClaim claim) =>
            (await registry.AdmitAsync(claim, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Refused>().Request;
    }
}
