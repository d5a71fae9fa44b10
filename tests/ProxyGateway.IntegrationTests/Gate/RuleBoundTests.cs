namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A process that makes up keys is stopped at some number, and the log says so once.</summary>
public sealed class RuleBoundTests
{
    [Fact]
    public async Task Past_its_bound_a_rule_leaves_new_devices_to_an_operator_and_the_log_says_so_once()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(
            new() { ["DeviceAuth:Pairing:AutoApprove:loopback:MaxDevicesPerHour"] = "2" });
        var known = new TestDevice();
        (await TestClient.ConnectAsync(gateway.Port, known, new Ask())).ShouldBeAdmitted();
        (await TestClient.ConnectAsync(gateway.Port, new TestDevice(), new Ask())).ShouldBeAdmitted();

        for (int i = 0; i < 3; i++)
            (await TestClient.ConnectAsync(gateway.Port, new TestDevice(), new Ask())).ShouldBeClosed(1008, "pairing required");

        gateway.Log.Of(1710).ShouldHaveSingleItem().ShouldStartWith("Rule loopback has paired 2 devices within an hour");
        (await TestClient.ConnectAsync(gateway.Port, known, new Ask())).ShouldBeAdmitted();
    }
}
