using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.IntegrationTests.Gate.Backends;

/// <summary>Without a token of the backend, its second question is told: to the log, the audit, and a client that would otherwise stop for good.</summary>
public sealed class UnconfiguredBackendTests
{
    private readonly TestDevice _device = new();

    [Fact]
    public async Task The_log_and_the_audit_say_what_the_backends_owner_can_do()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync([]);

        await setting.ConnectAsync(_device);

        string id = setting.Backend.RequestIds.ShouldHaveSingleItem();
        setting.Gateway.Log.Of(1122).ShouldHaveSingleItem().ShouldBe(
            $"The backend asks for a pairing of its own before it lets in device {_device.Id}, which was admitted as operator with [operator.read] from 127.0.0.1: "
            + $"NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request {id}. Its owner can approve it: openclaw devices approve {id}. "
            + "The gate can do that by itself with DeviceAuth:Backends:agent:OpenClaw:TokenFile.");
        List<AuditEntry> entries = await setting.AuditAsync(AuditKinds.SessionClosed);
        entries.Select(e => e.Kind).ShouldBe(["device-auto-approved", "device-admitted", "backend-refused", "session-closed"]);
        (entries[2].DeviceId, entries[2].Role, entries[2].Scopes!.Single()).ShouldBe((_device.Id, "operator", "operator.read"));
        (entries[2].Reason, entries[2].Note).ShouldBe(($"NOT_PAIRED PAIRING_REQUIRED scope-upgrade, request {id}", $"openclaw devices approve {id}"));
        setting.Backend.Helpers.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_client_that_would_stop_for_good_is_told_to_go_on_trying()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync([]);

        Outcome outcome = await setting.ConnectAsync(_device);

        string id = setting.Backend.RequestIds.ShouldHaveSingleItem();
        outcome.ShouldBeClosed(1008, $"pairing required: by the backend (requestId: {id})");
        outcome.Error.GetProperty("code").GetString().ShouldBe("NOT_PAIRED");
        (outcome.Details.GetProperty("code").GetString(), outcome.Details.GetProperty("reason").GetString(), outcome.RequestId).ShouldBe(("PAIRING_REQUIRED", "scope-upgrade", id));
        outcome.Details.GetProperty("recommendedNextStep").GetString().ShouldBe("wait_then_retry");
        outcome.Details.GetProperty("pauseReconnect").GetBoolean().ShouldBeFalse();
        outcome.Details.GetProperty("remediationHint").GetString()!.ShouldEndWith($"openclaw devices approve {id}");
    }

    [Fact]
    public async Task A_client_that_the_backend_tells_to_go_on_trying_gets_its_answer()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync([]);
        setting.Backend.DistortRefusal = error => (error["details"]!["pauseReconnect"], error["details"]!["hint"]) = (false, "of the backend");

        Outcome outcome = await setting.ConnectAsync(_device);

        outcome.Details.GetProperty("hint").GetString().ShouldBe("of the backend");
        setting.Gateway.Log.Of(1122).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_refusal_that_is_about_something_else_is_the_backends()
    {
        await using PairingSetting setting = await PairingSetting.StartAsync();
        setting.Backend.DistortRefusal = error => (error["code"], error["details"]!["code"]) = ("INVALID_REQUEST", "AUTH_DEVICE_TOKEN_MISMATCH");

        Outcome outcome = await setting.ConnectAsync(_device);

        outcome.Details.GetProperty("code").GetString().ShouldBe("AUTH_DEVICE_TOKEN_MISMATCH");
        setting.Backend.Helpers.ShouldBeEmpty();
        setting.Gateway.Log.Of(1105).ShouldHaveSingleItem().ShouldBe(
            $"The backend refused device {_device.Id}, which was admitted as operator with [operator.read] from 127.0.0.1: INVALID_REQUEST AUTH_DEVICE_TOKEN_MISMATCH scope-upgrade.");
        setting.Gateway.Log.Of(1121).ShouldHaveSingleItem();
        (await setting.AuditAsync(AuditKinds.BackendRefused)).Single(e => e.Kind == AuditKinds.BackendRefused).Note.ShouldBeNull();
    }
}
