using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>What operators do about devices from a shell: each command once as it should go, and once as it should not.</summary>
public sealed class DeviceCommandTests(GatewayFixture gateway) : IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task A_grant_is_set_with_an_end_and_taken_away()
    {
        (TestDevice device, _) = await gateway.PairAsync();
        string id = device.Id.ToString();

        JsonElement granted = (await gateway.OperateAsync("devices", "grant", DeviceId.Parse(id).Fingerprint, "node", "--scopes", "camera,mic", "--for", "2h", "--json")).ShouldSucceed().Json;
        JsonElement grant = granted.GetProperty("grants").GetProperty("node");
        grant.GetProperty("scopes").EnumerateArray().Select(s => s.GetString()).ShouldBe(["camera", "mic"]);
        (grant.GetProperty("until").GetDateTimeOffset() - DateTimeOffset.UtcNow).ShouldBeInRange(TimeSpan.FromMinutes(115), TimeSpan.FromMinutes(120));
        (await gateway.OperateAsync("devices", "show", id)).ShouldSucceed().Output.ShouldContain("node: camera mic, until ");

        JsonElement revoked = (await gateway.OperateAsync("devices", "revoke", id, "node", "--json")).ShouldSucceed().Json;
        revoked.GetProperty("grants").EnumerateObject().Select(g => g.Name).ShouldBe(["operator"]);
        (await gateway.OperateAsync("devices", "revoke", id, "node")).ShouldFail(1).ShouldContain("does not hold this role");
        (await gateway.OperateAsync("devices", "revoke", id, "operator")).ShouldSucceed().Output.ShouldContain("Nothing is approved");
    }

    // A stranger can make a key whose id begins like another's.
    [Theory]
    [InlineData("grant", "node", "--scopes", "a")]
    [InlineData("unblock")]
    public async Task A_command_by_which_a_device_gains_something_takes_no_short_id(string command, params string[] more)
    {
        (TestDevice device, _) = await gateway.PairAsync();

        (await gateway.OperateAsync(["devices", command, device.Id.ToString()[..(DeviceId.FingerprintDigits - 1)], .. more])).ShouldFail(2).ShouldContain("is too short");
    }

    [Theory]
    [InlineData(2, "--scopes", "--for", "2h")]
    [InlineData(2, "no --scopes at all")]
    [InlineData(2, "--scopes", "a", "--for", "soon")]
    [InlineData(2, "--scopes", "a", "--until", "soon")]
    [InlineData(2, "--scopes", "a", "--until", "2999-01-01", "--for", "2h")]
    [InlineData(2, "--scopes", "a,b c")]
    [InlineData(1, "--scopes", "a", "--until", "2020-01-01T00:00:00Z")]
    public async Task An_invalid_grant_changes_nothing(int exitCode, params string[] terms)
    {
        string device = new('0', 64);
        if (exitCode == 1)
            device = (await gateway.PairAsync()).Device.Id.ToString();
        (await gateway.OperateAsync(["devices", "grant", device, "node", .. terms.Where(t => t[0] == '-' || !t.Contains(' '))])).ShouldFail(exitCode);
    }

    [Theory]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("no/role")]
    [InlineData("%2e%2e")]
    public async Task An_invalid_role_does_not_become_the_path_of_the_device(string role)
    {
        TestDevice device = (await gateway.PairAsync()).Device;

        (await gateway.OperateAsync("devices", "revoke", device.Id.ToString(), role)).ShouldFail(2).ShouldContain("is no role");
        (await gateway.OperateAsync("devices", "grant", device.Id.ToString(), role, "--scopes", "a")).ShouldFail(2).ShouldContain("is no role");

        (await gateway.OperateAsync("devices", "show", device.Id.ToString())).ShouldSucceed();
    }

    [Fact]
    public async Task A_block_closes_the_connection_and_a_label_is_shown()
    {
        (TestDevice device, Outcome connection) = await gateway.PairAsync();
        string id = device.Id.ToString();
        JsonElement session = (await gateway.OperateAsync("sessions", "list", "--device", id[..10], "--json")).ShouldSucceed().Json.GetProperty("items")
            .EnumerateArray().ShouldHaveSingleItem();
        session.GetProperty("role").GetString().ShouldBe("operator");
        (await gateway.OperateAsync("sessions", "list")).ShouldSucceed().Output.ShouldContain(DeviceId.Parse(id).Fingerprint);

        (await gateway.OperateAsync("devices", "label", id, "Anna's \u001b[31mphone")).ShouldSucceed().Output.ShouldContain("Anna's [31mphone");
        JsonElement blocked = (await gateway.OperateAsync("devices", "block", id, "--reason", "lost", "--json")).ShouldSucceed().Json;
        blocked.GetProperty("block").GetProperty("reason").GetString().ShouldBe("lost");
        (await connection.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("device blocked");
        Ended list = (await gateway.OperateAsync("devices", "list")).ShouldSucceed();
        list.Output.Split('\n').Single(line => line.StartsWith(DeviceId.Parse(id).Fingerprint, StringComparison.Ordinal)).ShouldContain("\"Anna's [31mphone\"  BLOCKED");

        (await gateway.OperateAsync("devices", "unblock", id, "--json")).ShouldSucceed().Json.TryGetProperty("block", out _).ShouldBeFalse();
        (await gateway.OperateAsync("devices", "unblock", id)).ShouldFail(1);
        (await gateway.OperateAsync("devices", "label", id, "--clear", "--json")).ShouldSucceed().Json.TryGetProperty("label", out _).ShouldBeFalse();
        (await gateway.OperateAsync("devices", "label", id)).ShouldFail(2);
    }

    [Fact]
    public async Task An_unknown_device_is_blocked_by_its_whole_id()
    {
        var stranger = new TestDevice();

        (await gateway.OperateAsync("devices", "block", stranger.Id.ToString()[..12])).ShouldFail(1).ShouldContain("No device");
        (await gateway.OperateAsync("devices", "block", stranger.Id.ToString())).ShouldSucceed().Output.ShouldContain("blocked");

        (await gateway.ConnectAsync(stranger, new Ask())).ShouldBeClosed(1008, "device blocked");
        (await gateway.OperateAsync("devices", "unblock", stranger.Id.ToString())).ShouldSucceed().Output.ShouldContain("Nothing is approved");
    }

    [Fact]
    public async Task Grants_of_a_rule_are_counted_and_taken_back()
    {
        await using var alone = await OtherGatewayAsync();
        (TestDevice device, Outcome connection) = await alone.Fixture.PairAsync();

        JsonElement dry = (await alone.Fixture.OperateAsync("devices", "remove", "--rule", "loopback", "--dry-run", "--json")).ShouldSucceed().Json;
        (dry.GetProperty("removed").GetInt32(), dry.GetProperty("dryRun").GetBoolean()).ShouldBe((1, true));
        (await alone.Fixture.OperateAsync("devices", "remove", "--rule", "loopback")).ShouldSucceed().Output.ShouldContain("Removed: 1 devices");

        (await connection.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("device removed");
        (await alone.Fixture.OperateAsync("devices", "show", device.Id.ToString())).ShouldFail(1).ShouldContain("no such device");
        (await alone.Fixture.OperateAsync("devices", "remove")).ShouldFail(2);
        (await alone.Fixture.OperateAsync("devices", "remove", device.Id.ToString(), "--rule", "loopback")).ShouldFail(2);
    }

    [Fact]
    public async Task A_device_shows_who_approved_which_scopes()
    {
        (TestDevice device, _) = await gateway.PairAsync();
        string id = device.Id.ToString();
        (await gateway.OperateAsync("devices", "show", id)).ShouldSucceed().Output.ShouldContain("operator: operator.read (by rule loopback, ");
        (await gateway.OperateAsync("devices", "grant", id, "operator", "--scopes", "operator.read")).ShouldSucceed();
        (await gateway.OperateAsync("devices", "show", id)).ShouldSucceed().Output.ShouldContain("operator: operator.read (by admin, ");

        (await gateway.ConnectAsync(device, new Ask { Scopes = ["operator.write"] })).ShouldBeAdmitted();

        (await gateway.OperateAsync("devices", "show", id)).ShouldSucceed().Output
            .ShouldContain("operator: operator.read operator.write (by admin; rule loopback: operator.write, ");
    }

    [Fact]
    public async Task An_export_has_grants_and_no_secret()
    {
        (TestDevice device, _) = await gateway.PairAsync();

        TestDevice blocked = (await gateway.PairAsync()).Device;
        (await gateway.OperateAsync("devices", "block", blocked.Id.ToString())).ShouldSucceed();

        Ended exported = (await gateway.OperateAsync("devices", "export")).ShouldSucceed();

        exported.Output.ShouldNotContain(blocked.Id.ToString(), customMessage: "it would be let in wherever it was imported");

        JsonElement found = exported.Json.GetProperty("devices").EnumerateArray().Single(d => d.GetProperty("id").GetString() == device.Id.ToString());
        found.EnumerateObject().Select(m => m.Name).ShouldBe(["id", "publicKey", "grants", "client"]);
        found.GetProperty("publicKey").GetString().ShouldBe(device.PublicKey);
        found.GetProperty("grants").GetProperty("operator").GetRawText().ShouldContain("operator.read");
        found.GetProperty("grants").GetProperty("operator").EnumerateObject().Select(m => m.Name).ShouldBe(["scopes", "parts"]);
        JsonElement parts = found.GetProperty("grants").GetProperty("operator").GetProperty("parts");
        parts.GetProperty("role").GetString().ShouldBe("loopback", "elsewhere, too, it is a rule's");
        parts.GetProperty("rules").GetProperty("loopback").EnumerateArray().ShouldHaveSingleItem().GetString().ShouldBe("operator.read");
    }

    [Fact]
    public async Task A_request_shows_its_new_scopes_and_is_approved_for_a_limited_time()
    {
        (TestDevice device, _) = await gateway.PairAsync();
        string request = await gateway.AskAsync(device, "camera", "mic");

        string shown = (await gateway.OperateAsync("requests", "show", request)).ShouldSucceed().Output;
        shown.ShouldContain("the role node, with camera mic");
        shown.ShouldContain("role-upgrade");
        (await gateway.OperateAsync("requests", "show", request, "--json")).ShouldSucceed().Json.GetProperty("newScopes").GetArrayLength().ShouldBe(2);
        (await gateway.OperateAsync("requests", "list")).ShouldSucceed().Output.ShouldContain("+camera +mic");
        (await gateway.OperateAsync("requests", "show", "01m81yeyz0ey1d4nngq3jdef2x")).ShouldFail(1);

        JsonElement approved = (await gateway.OperateAsync("requests", "approve", request, "--scopes", "camera", "--for", "30m", "--json")).ShouldSucceed().Json;
        approved.GetProperty("grants").GetProperty("node").TryGetProperty("until", out _).ShouldBeTrue();
        (await gateway.OperateAsync("requests", "show", request)).ShouldSucceed().Output.ShouldContain("approved by admin");
    }

    [Fact]
    public async Task The_audit_is_listed_and_filtered()
    {
        (TestDevice device, _) = await gateway.PairAsync();
        string id = device.Id.ToString();
        (await gateway.OperateAsync("devices", "label", id, "Mine")).ShouldSucceed();

        JsonElement entry = default;
        await Eventually.HoldsAsync(
            async () =>
            {
                Ended listed = await gateway.OperateAsync("audit", "--device", id, "--kind", "device-labelled", "--operator", "admin", "--json");
                entry = listed.ShouldSucceed().Json.GetProperty("items").EnumerateArray().FirstOrDefault();
                return entry.ValueKind == JsonValueKind.Object;
            },
            "it is in the audit");
        entry.GetProperty("note").GetString().ShouldBe("Mine");
        (await gateway.OperateAsync("audit", "--device", id, "--limit", "1")).ShouldSucceed().Output.Trim().Split('\n').Length.ShouldBe(2, "a head and an entry");
        (await gateway.OperateAsync("audit", "--kind", "nonsense")).ShouldFail(1);
        (await gateway.OperateAsync("audit", "--limit", "0")).ShouldFail(2);
    }

    [Fact]
    public async Task A_session_is_ended_by_its_id()
    {
        (TestDevice device, Outcome connection) = await gateway.PairAsync();
        string id = (await gateway.OperateAsync("sessions", "list", "--device", device.Id.ToString(), "--json")).ShouldSucceed().Json.GetProperty("items")
            .EnumerateArray().ShouldHaveSingleItem().GetProperty("id").GetString()!;

        (await gateway.OperateAsync("sessions", "end", id)).ShouldSucceed().Output.ShouldContain($"Session {id} is ended.");

        Frame close = await connection.Client.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1008, "ended by an operator"));
        (await gateway.OperateAsync("sessions", "end", id)).ShouldFail(1).ShouldContain("This gateway has no such session");
        (await gateway.OperateAsync("sessions", "end", "x")).ShouldFail(2);
    }

    [Theory]
    [InlineData("sessions", "list")]
    [InlineData("sessions", "end", "1")]
    [InlineData("audit")]
    [InlineData("audit", "--follow")]
    [InlineData("requests", "watch")]
    [InlineData("devices", "export")]
    [InlineData("devices", "block", "0000000000000000000000000000000000000000000000000000000000000000")]
    public async Task Without_a_gateway_every_command_says_so(params string[] command) =>
        (await gateway.Program.RunAsync([.. command, "--admin-url", "http://127.0.0.1:1"])).ShouldFail(3).ShouldContain("No gateway answers at http://127.0.0.1:1/");

    private static async Task<Alone> OtherGatewayAsync()
    {
        var fixture = new GatewayFixture();
        await fixture.InitializeAsync();
        return new Alone(fixture);
    }

    private sealed record Alone(GatewayFixture Fixture) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await Fixture.DisposeAsync();
    }
}
