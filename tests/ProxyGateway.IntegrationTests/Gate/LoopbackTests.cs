using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>What the gate is for: subagents on their own machine get in, and only as far as they should.</summary>
public sealed class LoopbackTests
{
    private static readonly string[] Read = ["operator.read"];
    private static readonly string[] Write = ["operator.write"];

    [Fact]
    public async Task An_unknown_device_is_admitted_and_paired_with_exactly_what_it_asked_for()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        var device = new TestDevice();

        Outcome outcome = await TestClient.ConnectAsync(gateway.Port, device, new Ask { Scopes = Read });

        outcome.ShouldBeAdmitted();
        DeviceRecord record = (await gateway.FindAsync(device)).ShouldNotBeNull();
        record.Grants.Keys.ShouldBe(["operator"]);
        record.Grants["operator"].Scopes.ShouldBe(ScopeSet.Of(Read));
        record.Grants["operator"].Rule.ShouldBe("loopback");
        record.PublicKey.ShouldBe(device.PublicKey);

        await outcome.Client.SendTextAsync("after admission this is a pipe");
        (await outcome.Client.ReceiveAsync())!.Text.ShouldBe("after admission this is a pipe");
    }

    [Fact]
    public async Task A_wider_scope_in_the_same_role_is_granted_silently()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        var device = new TestDevice();
        (await TestClient.ConnectAsync(gateway.Port, device, new Ask { Scopes = Read })).ShouldBeAdmitted();

        (await TestClient.ConnectAsync(gateway.Port, device, new Ask { Scopes = Write })).ShouldBeAdmitted();

        (await gateway.FindAsync(device))!.ScopesOf("operator").ShouldBe(ScopeSet.Of("operator.read", "operator.write"));
    }

    [Fact]
    public async Task A_role_upgrade_waits_for_an_operator()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        var device = new TestDevice();
        (await TestClient.ConnectAsync(gateway.Port, device, new Ask { Scopes = Read })).ShouldBeAdmitted();

        Outcome refused = await TestClient.ConnectAsync(gateway.Port, device, new Ask { Role = "node", Scopes = [] });

        refused.ShouldRequirePairing("role-upgrade");
        (await gateway.ApproveAsync(refused.RequestId)).ShouldNotBeNull();
        (await TestClient.ConnectAsync(gateway.Port, device, new Ask { Role = "node", Scopes = [] })).ShouldBeAdmitted();
    }
}
