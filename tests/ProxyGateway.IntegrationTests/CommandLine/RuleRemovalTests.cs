using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Admin;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>More devices than one answer is waited for: <c>devices remove --rule</c> goes on from part to part.</summary>
public sealed class RuleRemovalTests
{
    [Fact]
    public async Task Devices_of_a_rule_are_removed_in_parts_and_each_part_is_reported()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();
        DateTimeOffset now = DateTimeOffset.UtcNow;
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        DeviceRecord[] records =
        [
            .. Enumerable.Range(0, 250).Select(_ => Transitions.AutoApprove(
                record: null, Some.Claim(), "loopback", ScopeImplications.Default, now, Some.Lifetimes) with { Version = Some.Version() }),
        ];
        await admin.Store.WriteAllAsync(records.Select(r => new StoredDocument(r, ExpiresAt: null)).ToAsyncEnumerable(), default);
        var program = new ProgramUnderTest();
        string key = Path.Combine(program.Folder, "key");
        await File.WriteAllTextAsync(key, TestAdmin.Approver);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);

        Ended ended = await program.RunAsync("devices", "remove", "--rule", "loopback", "--admin-url", admin.Client.BaseAddress!.ToString(), "--key-file", key);

        ended.ShouldSucceed().Output.ShouldContain("Removed: 250 devices");
        ended.Error.ShouldContain("200 of 250 devices ...");
        (await admin.GetAsync("/admin/v1/devices")).Json.GetProperty("items").GetArrayLength().ShouldBe(0);
        (await admin.Registry.AdmitAsync(Some.Claim(), Some.Loopback, silent, default)).ShouldBeOfType<Admission.Admitted>();
        program.Delete();
    }
}
