using System.Text.Json;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>Operators decide for one agent at a time.</summary>
public sealed class AudienceEndpointTests : IAsyncLifetime
{
    private const string OfAgent2 = "agent-2-key-agent-2-key-agent-2-key-agent-2";
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");
    private TestAdmin _admin = null!;

    public async Task InitializeAsync() => _admin = await TestAdmin.StartAsync(keys: AdminKeyRing.Load(
        new AdminOptions
        {
            Keys =
            [
                TestAdmin.Key("ops", TestAdmin.Approver, AdminRole.Approver),
                TestAdmin.Key("two", OfAgent2, AdminRole.Approver) with { Audiences = [Audience.Parse("agent-2")] },
            ],
        },
        Path.GetTempPath()));

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    [Fact]
    public async Task A_request_has_its_audience_and_what_the_device_holds_there()
    {
        await _admin.PairAsync(_claim);
        PairingRequest asked = await _admin.AskAsync(_claim.In("agent-2"));

        JsonElement shown = (await _admin.GetAsync($"/admin/v1/requests/{asked.Id}")).Json;

        shown.GetProperty("audience").GetString().ShouldBe("agent-2");
        shown.GetProperty("reason").GetString().ShouldBe("not-paired");
        shown.TryGetProperty("heldRoles", out _).ShouldBeFalse();
        shown.TryGetProperty("heldScopes", out _).ShouldBeFalse();
        shown.GetProperty("newScopes").GetRawText().ShouldBe("""["operator.read"]""");
        JsonElement grants = (await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/approve", json: """{"also":{"node":["camera"]}}""")).Json.GetProperty("grants");
        grants.EnumerateObject().Select(g => g.Name).ShouldBe(["operator", "agent-2/node", "agent-2/operator"]);
        (await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/approve", json: """{"also":{"agent-2/node":[]}}""")).ShouldBeProblem(400, "invalid-request");
    }

    [Fact]
    public async Task A_grant_is_set_and_taken_in_one_audience()
    {
        string device = $"/admin/v1/devices/{await _admin.PairAsync(_claim)}";

        JsonElement set = (await _admin.SendAsync(HttpMethod.Put, device + "/grants/agent-2/operator", json: """{"scopes":["operator.admin"]}""")).Json;
        Names(set).ShouldBe(["operator", "agent-2/operator"]);
        set.GetProperty("grants").GetProperty("operator").GetProperty("scopes").GetRawText().ShouldBe("""["operator.read"]""");
        Names((await _admin.SendAsync(HttpMethod.Put, device + "/grants/default/operator", json: """{"scopes":[]}""")).Json).ShouldBe(["operator", "agent-2/operator"]);

        (await _admin.DeleteAsync(device + "/grants/agent-3/operator")).ShouldBeProblem(404, "grant-not-found");
        (await _admin.DeleteAsync(device + "/grants/agent-2/operator")).Status.ShouldBe(204);
        Names((await _admin.GetAsync(device)).Json).ShouldBe(["operator"]);
        foreach (string wrong in new[] { "Agent", "-agent", "a%2fb", "..%2f..", new string('a', 65) })
        {
            (await _admin.SendAsync(HttpMethod.Put, $"{device}/grants/{wrong}/operator", json: """{"scopes":[]}""")).Status.ShouldBe(400, wrong);
            (await _admin.DeleteAsync($"{device}/grants/{wrong}/operator")).Status.ShouldBe(400, wrong);
        }

        static IEnumerable<string> Names(JsonElement device) => device.GetProperty("grants").EnumerateObject().Select(g => g.Name);
    }

    [Fact]
    public async Task Lists_are_of_one_audience_if_that_is_asked_for()
    {
        DeviceClaim other = Some.Claim();
        await _admin.PairAsync(_claim.In("agent-2"));
        await _admin.PairAsync(other);
        PairingRequest[] asked = [await _admin.AskAsync(Some.Claim().In("agent-2")), await _admin.AskAsync(Some.Claim())];
        using var session = _admin.Sessions.TryEnter(_claim.In("agent-2"), Some.Loopback, limit: 10)!;
        session.TryAdmit(Some.Paired(_claim.In("agent-2"), DateTimeOffset.UtcNow), DateTimeOffset.UtcNow).ShouldBeTrue();

        (await IdsAsync("devices?audience=agent-2", "id")).ShouldBe([_claim.Device.ToString()]);
        (await IdsAsync("devices?audience=default", "id")).ShouldBe([other.Device.ToString()]);
        (await IdsAsync("requests?audience=agent-2&limit=1", "id")).ShouldBe([asked[0].Id.ToString()]);
        (await IdsAsync("requests?audience=default", "id")).ShouldBe([asked[1].Id.ToString()]);
        (await IdsAsync("sessions?audience=agent-2", "audience")).ShouldBe(["agent-2"]);
        (await IdsAsync("sessions?audience=default", "id")).ShouldBeEmpty();
        await Eventually.HoldsAsync(
            async () => (await IdsAsync("audit?audience=agent-2&kind=request-approved", "audience")) is ["agent-2"]
                && (await IdsAsync("audit?audience=default&kind=request-approved", "deviceId")) is [var id] && id == other.Device.ToString(),
            "the audit tells them apart");
        foreach (string list in new[] { "devices", "requests", "sessions", "audit" })
        {
            (await _admin.GetAsync($"/admin/v1/{list}?audience=Agent")).ShouldBeProblem(400, "invalid-request");
            (await _admin.GetAsync($"/admin/v1/{list}?audience=a&audience=b")).ShouldBeProblem(400, "invalid-request");
        }

        async Task<string[]> IdsAsync(string path, string member) => [.. (await _admin.GetAsync("/admin/v1/" + path)).Json.GetProperty("items").EnumerateArray().Select(i => i.GetProperty(member).GetString()!)];
    }

    [Fact]
    public async Task A_key_of_one_audience_grants_in_no_other()
    {
        PairingRequest inDefault = await _admin.AskAsync(_claim);
        PairingRequest inAgent2 = await _admin.AskAsync(_claim.In("agent-2"));
        string device = $"/admin/v1/devices/{_claim.Device}";
        string import = """{"devices":[{"publicKey":"KEY","grants":{"ROLE":{"scopes":[]}}}]}""".Replace("KEY", Some.Claim().PublicKey, StringComparison.Ordinal);

        (await _admin.PostAsync($"/admin/v1/requests/{inDefault.Id}/approve", OfAgent2)).ShouldBeProblem(403, "above-ceiling");
        (await _admin.PostAsync($"/admin/v1/requests/{inAgent2.Id}/approve", OfAgent2)).Status.ShouldBe(200);
        (await _admin.SendAsync(HttpMethod.Put, device + "/grants/operator", OfAgent2, """{"scopes":[]}""")).ShouldBeProblem(403, "above-ceiling");
        (await _admin.SendAsync(HttpMethod.Put, device + "/grants/agent-2/node", OfAgent2, """{"scopes":[]}""")).Status.ShouldBe(200);
        (await ImportAsync("node")).ShouldBe("above-ceiling");
        (await ImportAsync("agent-2/node")).ShouldBe("added");
        (await ImportAsync("default/node")).ShouldBe("invalid");
        (await _admin.PostAsync($"/admin/v1/requests/{inDefault.Id}/reject", OfAgent2)).Status.ShouldBe(200, "a no is always allowed");
        (await _admin.GetAsync("/admin/v1/me", OfAgent2)).Json.GetProperty("audiences").GetRawText().ShouldBe("""["agent-2"]""");

        async Task<string> ImportAsync(string key) => (await _admin.PostAsync("/admin/v1/devices/import", OfAgent2, import.Replace("ROLE", key, StringComparison.Ordinal)))
            .Json.GetProperty("items")[0].GetProperty("outcome").GetString()!;
    }
}
