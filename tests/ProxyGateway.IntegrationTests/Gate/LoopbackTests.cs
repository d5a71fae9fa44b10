using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>What the gate is for: subagents on their own machine get in, and only as far as they should.</summary>
public sealed class LoopbackTests : IAsyncLifetime
{
    private static readonly Ask Read = new() { Scopes = ["operator.read"] };
    private static readonly Ask Write = new() { Scopes = ["operator.write"] };
    private static readonly Ask Node = new() { Role = "node", Scopes = [] };

    private readonly TestDevice _device = new();
    private TestGateway _gateway = null!;

    public async Task InitializeAsync() => _gateway = await TestGateway.StartAsync();

    public async Task DisposeAsync() => await _gateway.DisposeAsync();

    [Fact]
    public async Task An_unknown_device_is_admitted_and_paired_with_exactly_what_it_asked_for()
    {
        Outcome outcome = await ConnectAsync(Read);

        outcome.ShouldBeAdmitted();
        DeviceRecord record = (await _gateway.FindAsync(_device)).ShouldNotBeNull();
        record.Grants.Keys.Names().ShouldBe(["operator"]);
        record.Grants.Of("operator").Scopes.ShouldBe(ScopeSet.Of("operator.read"));
        record.Grants.Of("operator").Rule.ShouldBe("loopback");
        record.PublicKey.ShouldBe(_device.PublicKey);
        record.Requests.ShouldBeEmpty();

        await outcome.Client.SendTextAsync("after admission this is a pipe");
        (await outcome.Client.ReceiveAsync())!.Text.ShouldBe("after admission this is a pipe");
    }

    [Fact]
    public async Task A_wider_scope_in_the_same_role_is_granted_silently()
    {
        (await ConnectAsync(Read)).ShouldBeAdmitted();

        (await ConnectAsync(Write)).ShouldBeAdmitted();

        (await _gateway.FindAsync(_device))!.ScopesOf("operator").ShouldBe(ScopeSet.Of("operator.read", "operator.write"));
    }

    [Fact]
    public async Task A_legacy_record_without_scopes_is_upgraded_silently()
    {
        await PutAsync(new Grant { Scopes = null, ApprovedAt = DateTimeOffset.UtcNow });

        (await ConnectAsync(Write)).ShouldBeAdmitted();

        (await _gateway.FindAsync(_device))!.ScopesOf("operator").ShouldBe(ScopeSet.Of("operator.write"));
    }

    [Fact]
    public async Task A_role_upgrade_waits_for_an_operator_and_then_gets_in()
    {
        (await ConnectAsync(Read)).ShouldBeAdmitted();

        Outcome refused = await ConnectAsync(Node);

        refused.ShouldRequirePairing("role-upgrade");
        refused.Details.GetProperty("approvedRoles").EnumerateArray().Select(r => r.GetString()).ShouldBe(["operator"]);
        refused.Details.TryGetProperty("approvedScopes", out _).ShouldBeFalse("Those of another role are not listed.");
        (await _gateway.Registry.ListOpenRequestsAsync(null, 10, default)).Items.Select(r => r.Id.ToString()).ShouldBe([refused.RequestId]);
        (await _gateway.ApproveAsync(refused.RequestId))!.Outcome.ShouldBe(DecisionOutcome.Done);
        (await ConnectAsync(Node)).ShouldBeAdmitted();
    }

    [Fact]
    public async Task A_rejected_role_upgrade_is_refused()
    {
        (await ConnectAsync(Read)).ShouldBeAdmitted();
        Outcome refused = await ConnectAsync(Node);
        (await _gateway.RejectAsync(refused.RequestId))!.Outcome.ShouldBe(DecisionOutcome.Done);

        Outcome rejected = await ConnectAsync(Node);

        rejected.ShouldBeClosed(1008, $"pairing rejected (requestId: {refused.RequestId})");
        rejected.Details.GetProperty("code").GetString().ShouldBe("PAIRING_REQUIRED");
        rejected.Details.GetProperty("pauseReconnect").GetBoolean().ShouldBeTrue();
        rejected.Details.GetProperty("recommendedNextStep").GetString().ShouldNotBe("wait_then_retry");
        (await ConnectAsync(Read)).ShouldBeAdmitted();
    }

    [Fact]
    public async Task An_administrator_asks_for_write_and_is_covered_already()
    {
        (await ConnectAsync(new Ask { Scopes = ["operator.admin"] })).ShouldBeAdmitted();
        string version = (await _gateway.FindAsync(_device))!.Version;

        (await ConnectAsync(Write)).ShouldBeAdmitted();

        (await _gateway.FindAsync(_device))!.Version.ShouldBe(version);
    }

    [Fact]
    public async Task The_same_ask_ten_times_is_one_request_and_a_different_one_another()
    {
        (await ConnectAsync(Read)).ShouldBeAdmitted();
        var first = new HashSet<string>();
        for (int i = 0; i < 10; i++)
        {
            // Order and repetition make no difference.
            string[] scopes = i % 2 == 0 ? ["a", "b"] : ["b", "a", "b"];
            first.Add((await ConnectAsync(new Ask { Role = "node", Scopes = scopes })).RequestId);
        }

        string id = first.ShouldHaveSingleItem();
        PairingRequest before = (await _gateway.Registry.FindRequestAsync(RequestId.Parse(id), default))!;
        Outcome different = await ConnectAsync(new Ask { Role = "node", Scopes = ["a"] });

        different.RequestId.ShouldNotBe(id);
        PairingRequest after = (await _gateway.Registry.FindRequestAsync(RequestId.Parse(id), default))!;
        after.ShouldBe(before);
        (await _gateway.FindAsync(_device))!.Requests.Length.ShouldBe(2);
    }

    [Fact]
    public async Task The_ninth_open_request_of_one_device_is_try_again_later()
    {
        (await ConnectAsync(Read)).ShouldBeAdmitted();
        for (int i = 0; i < 8; i++)
        {
            (await ConnectAsync(new Ask { Role = "node", Scopes = [$"scope{i}"] })).ShouldRequirePairing("role-upgrade");
        }

        Outcome outcome = await ConnectAsync(new Ask { Role = "node", Scopes = ["scope9"] });

        outcome.ShouldBeClosed(1013, "try again later");
        outcome.Error.GetProperty("code").GetString().ShouldBe("UNAVAILABLE");
        outcome.Error.GetProperty("retryable").GetBoolean().ShouldBeTrue();
        outcome.Error.GetProperty("retryAfterMs").GetInt64().ShouldBePositive();
        (await _gateway.FindAsync(_device))!.Requests.Length.ShouldBe(8);
    }

    [Fact]
    public async Task Only_the_approved_part_of_a_request_is_admitted()
    {
        (await ConnectAsync(Read)).ShouldBeAdmitted();
        var ask = new Ask { Role = "node", Scopes = ["camera", "screen"] };
        Outcome refused = await ConnectAsync(ask);
        (await _gateway.ApproveAsync(refused.RequestId, "camera"))!.Outcome.ShouldBe(DecisionOutcome.Done);

        (await ConnectAsync(new Ask { Role = "node", Scopes = ["camera"] })).ShouldBeAdmitted();
        Outcome rest = await ConnectAsync(ask);

        rest.ShouldRequirePairing("scope-upgrade"); // although a rule would approve it: the operator has said no
        rest.Details.GetProperty("approvedScopes").EnumerateArray().Select(s => s.GetString()).ShouldBe(["camera"]);
    }

    [Fact]
    public async Task A_devices_description_of_itself_is_made_safe_to_show()
    {
        (await ConnectAsync(Read)).ShouldBeAdmitted();
        Outcome refused = await ConnectAsync(Node with { DisplayName = "evil\u202Eeman\u0007\n" + new string('x', 3000) });

        PairingRequest request = (await _gateway.Registry.FindRequestAsync(RequestId.Parse(refused.RequestId), default))!;

        request.Client.DisplayName.ShouldBe("evileman" + new string('x', 92));
        request.Locality.ShouldBe(LocalityKind.Loopback);
        request.Address.ShouldBe("127.0.0.1");
    }

    private Task<Outcome> ConnectAsync(Ask ask) => TestClient.ConnectAsync(_gateway.Port, _device, ask);

    private async Task PutAsync(Grant grant)
    {
        var record = new DeviceRecord
        {
            Id = _device.Id,
            PublicKey = _device.PublicKey,
            CreatedAt = DateTimeOffset.UtcNow,
            Version = Some.Version(),
            Grants = ImmutableSortedDictionary<GrantKey, Grant>.Empty.Add("operator", grant),
        };
        (await _gateway.Store.SwapAsync(new DeviceSwap(null, record, ExpiresAt: null, PendingLimits.None), default)).ShouldBe(SwapResult.Swapped);
    }
}
