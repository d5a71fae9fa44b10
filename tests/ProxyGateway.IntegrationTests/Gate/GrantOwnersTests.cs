using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Taking back what a rule gave leaves what an operator gave, in whichever order they came.</summary>
public sealed class GrantOwnersTests : IAsyncLifetime
{
    private readonly TestDevice _device = new();
    private TestGateway _gateway = null!;

    public async Task InitializeAsync() => _gateway = await TestGateway.StartAsync();

    public async Task DisposeAsync() => await _gateway.DisposeAsync();

    [Fact]
    public async Task An_operators_approval_survives_the_removal_of_a_rules_upgrade()
    {
        Outcome asked = await TestClient.ConnectAsync(_gateway.RemotePort, _device, Asking("operator.read"));
        (await _gateway.ApproveAsync(asked.RequestId))!.Outcome.ShouldBe(DecisionOutcome.Done);
        Outcome read = await ConnectAsync("operator.read");
        read.ShouldBeAdmitted();
        Outcome write = await ConnectAsync("operator.write");
        write.ShouldBeAdmitted();
        (await _gateway.FindAsync(_device))!.Grants.Of("operator").Rule.ShouldBe("loopback");

        (await RemoveByRuleAsync()).ShouldBe(new RemovedByRule(Removed: 0, Narrowed: 1));

        (await write.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("grant revoked");
        await ShouldStillBeOpenAsync(read);
        Grant left = (await _gateway.FindAsync(_device))!.Grants.Of("operator");
        (left.Scopes, left.ApprovedBy, left.Rule).ShouldBe((ScopeSet.Of("operator.read"), "ops", null));
        (await ConnectAsync("operator.read")).ShouldBeAdmitted();
        (await ConnectAsync("operator.write")).ShouldRequirePairing("scope-upgrade"); // no rule gives it back
    }

    [Fact]
    public async Task An_operators_approval_does_not_keep_a_rules_grant()
    {
        Outcome read = await ConnectAsync("operator.read");
        read.ShouldBeAdmitted();
        Outcome asked = await TestClient.ConnectAsync(_gateway.RemotePort, _device, Asking("camera"));
        (await _gateway.ApproveAsync(asked.RequestId))!.Outcome.ShouldBe(DecisionOutcome.Done);
        Outcome camera = await ConnectAsync("camera");
        camera.ShouldBeAdmitted();

        (await RemoveByRuleAsync()).ShouldBe(new RemovedByRule(Removed: 0, Narrowed: 1));

        (await read.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("grant revoked");
        await ShouldStillBeOpenAsync(camera);
        (await ConnectAsync("operator.read")).ShouldRequirePairing("scope-upgrade");
        (await RemoveByRuleAsync()).ShouldBe(new RemovedByRule(Removed: 0, Narrowed: 0));
    }

    private static Ask Asking(params string[] scopes) => new() { Scopes = scopes };

    private static async Task ShouldStillBeOpenAsync(Outcome session)
    {
        await session.Client.SendTextAsync("still open");
        (await session.Client.ReceiveAsync())!.Text.ShouldBe("still open");
    }

    private Task<Outcome> ConnectAsync(params string[] scopes) => TestClient.ConnectAsync(_gateway.Port, _device, Asking(scopes));

    private Task<RemovedByRule> RemoveByRuleAsync() => new DeviceFleet(_gateway.Registry, TimeProvider.System)
        .RemoveByRuleAsync("loopback", dryRun: false, Some.Operator, _gateway.Rules, default);
}
