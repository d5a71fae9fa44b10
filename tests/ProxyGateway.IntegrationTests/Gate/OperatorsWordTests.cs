using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>What operators say of a device beyond yes and no holds at the gate: blocks, ends of grants, labels.</summary>
public sealed class OperatorsWordTests : IAsyncLifetime
{
    private readonly TestDevice _device = new();
    private TestGateway _gateway = null!;

    public async Task InitializeAsync() => _gateway = await TestGateway.StartAsync();

    public async Task DisposeAsync() => await _gateway.DisposeAsync();

    [Fact]
    public async Task A_blocked_device_is_closed_at_once_and_makes_no_request()
    {
        Outcome admitted = await TestClient.ConnectAsync(_gateway.Port, _device);
        admitted.ShouldBeAdmitted();

        await ChangeAsync(new DeviceChange.Block("lost"));

        Frame close = await admitted.Client.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1008, "device blocked"));
        Outcome refused = await TestClient.ConnectAsync(_gateway.Port, _device);
        refused.ShouldBeClosed(1008, "device blocked");
        refused.Error.GetProperty("code").GetString().ShouldBe("NOT_PAIRED");
        refused.Details.GetProperty("code").GetString().ShouldBe("PAIRING_REQUIRED");
        refused.Details.GetProperty("pauseReconnect").GetBoolean().ShouldBeTrue("the client need not ask again by itself");
        refused.Details.TryGetProperty("requestId", out _).ShouldBeFalse();
        refused.Answer!.Value.GetRawText().ShouldNotContain("lost", customMessage: "what operators write is not for devices");
        (await _gateway.Registry.ListOpenRequestsAsync(null, 10, default)).Items.ShouldBeEmpty();
    }

    [Fact]
    public async Task An_unblocked_device_has_its_grants_and_no_more()
    {
        (await TestClient.ConnectAsync(_gateway.RemotePort, _device)).ShouldRequirePairing("not-paired");
        await ChangeAsync(new DeviceChange.Block(Reason: null));
        (await TestClient.ConnectAsync(_gateway.RemotePort, _device)).ShouldBeClosed(1008, "device blocked");

        await ChangeAsync(new DeviceChange.Unblock());

        (await TestClient.ConnectAsync(_gateway.RemotePort, _device)).ShouldRequirePairing("not-paired");
        (await TestClient.ConnectAsync(_gateway.Port, _device)).ShouldBeAdmitted();
        await ChangeAsync(new DeviceChange.Block(Reason: null));
        (await TestClient.ConnectAsync(_gateway.Port, _device)).ShouldBeClosed(1008, "device blocked");
        await ChangeAsync(new DeviceChange.Unblock());
        (await TestClient.ConnectAsync(_gateway.RemotePort, _device)).ShouldBeAdmitted();
    }

    [Fact]
    public async Task A_device_can_be_blocked_before_it_ever_connected()
    {
        await ChangeAsync(new DeviceChange.Block(Reason: null));

        (await TestClient.ConnectAsync(_gateway.Port, _device)).ShouldBeClosed(1008, "device blocked");
    }

    [Fact]
    public async Task A_session_ends_with_its_grant_and_no_rule_renews_it()
    {
        (await TestClient.ConnectAsync(_gateway.Port, _device)).ShouldBeAdmitted();
        DateTimeOffset end = TimeProvider.System.GetUtcNow().AddSeconds(2);
        await ChangeAsync(new DeviceChange.SetGrant("operator".InDefault(), new GrantTerms(ScopeSet.Of("operator.read"), end)));
        Outcome admitted = await TestClient.ConnectAsync(_gateway.Port, _device);
        admitted.ShouldBeAdmitted();

        Frame close = await admitted.Client.ReceiveCloseAsync();

        (close.CloseCode, close.CloseReason).ShouldBe((1008, "grant revoked"));
        TimeProvider.System.GetUtcNow().ShouldBeGreaterThanOrEqualTo(end.AddMilliseconds(-50), "and not before: 50 ms are for two clocks of one machine");
        Outcome refused = await TestClient.ConnectAsync(_gateway.Port, _device);
        refused.ShouldRequirePairing("not-paired");
        await _gateway.ApproveAsync(refused.RequestId);
        (await TestClient.ConnectAsync(_gateway.Port, _device)).ShouldBeAdmitted();
    }

    [Fact]
    public async Task A_later_end_of_the_grant_keeps_the_session()
    {
        (await TestClient.ConnectAsync(_gateway.Port, _device)).ShouldBeAdmitted();
        DateTimeOffset soon = TimeProvider.System.GetUtcNow().AddSeconds(3);
        await ChangeAsync(new DeviceChange.SetGrant("operator".InDefault(), new GrantTerms(ScopeSet.Of("operator.read"), soon)));
        Outcome admitted = await TestClient.ConnectAsync(_gateway.Port, _device);
        admitted.ShouldBeAdmitted();

        await ChangeAsync(new DeviceChange.SetGrant("operator".InDefault(), new GrantTerms(ScopeSet.Of("operator.read"), soon.AddHours(1))));

        await Eventually.HoldsAsync(() => Task.FromResult(TimeProvider.System.GetUtcNow() > soon.AddMilliseconds(300)), "the first end is past");
        await admitted.Client.SendTextAsync("still here");
        (await admitted.Client.ReceiveAsync())!.Text.ShouldBe("still here");
    }

    private async Task ChangeAsync(DeviceChange change) =>
        (await _gateway.Registry.ChangeAsync(_device.Id, change, Some.Operator, _gateway.Rules, default))!.Outcome.ShouldBe(DecisionOutcome.Done);
}
