using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>What operators change about a device, and how two of them do not undo each other's.</summary>
public sealed class DeviceChangeEndpointTests : IAsyncLifetime
{
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read", "operator.write");
    private TestAdmin _admin = null!;
    private string _device = null!;

    public async Task InitializeAsync()
    {
        _admin = await TestAdmin.StartAsync();
        _device = $"/admin/v1/devices/{await _admin.PairAsync(_claim)}";
    }

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    [Fact]
    public async Task A_grant_is_set_and_answered_with_the_device_and_its_tag()
    {
        DateTimeOffset until = TimeProvider.System.GetUtcNow().AddHours(1);

        Answer answer = await PutAsync("/grants/operator", $$"""{"scopes":["operator.read"],"until":"{{until:O}}"}""");

        answer.Status.ShouldBe(200, answer.Text);
        JsonElement grant = answer.Json.GetProperty("grants").GetProperty("operator");
        grant.GetProperty("scopes").GetRawText().ShouldBe("""["operator.read"]""");
        grant.GetProperty("approvedBy").GetString().ShouldBe("ops");
        grant.GetProperty("until").GetDateTimeOffset().ShouldBe(until);
        answer.Headers["ETag"].ShouldBe($"\"{answer.Json.GetProperty("version").GetString()}\"");
        (await GetAsync()).Headers["ETag"].ShouldBe(answer.Headers["ETag"]);
    }

    [Fact]
    public async Task A_role_is_added_and_taken_away()
    {
        (await PutAsync("/grants/node", """{"scopes":[]}""")).Status.ShouldBe(200);
        (await GetAsync()).Json.GetProperty("grants").EnumerateObject().Select(g => g.Name).ShouldBe(["node", "operator"]);

        Answer taken = await _admin.DeleteAsync(_device + "/grants/node");

        (taken.Status, taken.Text).ShouldBe((204, ""));
        (await GetAsync()).Json.GetProperty("grants").EnumerateObject().Select(g => g.Name).ShouldBe(["operator"]);
        (await _admin.DeleteAsync(_device + "/grants/node")).ShouldBeProblem(404, "grant-not-found");
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""{"scopes":null}""")]
    [InlineData("""{"scopes":["a b"]}""")]
    [InlineData("""{"scopes":[],"scopes":["operator.admin"]}""")]
    [InlineData("""{"scopes":[],"role":"node"}""")]
    [InlineData("""{"scopes":[],"until":"tomorrow"}""")]
    [InlineData("""{"scopes":[],"until":null}""")]
    [InlineData("""{"scopes":[],"until":1}""")]
    public async Task An_invalid_grant_changes_nothing(string json)
    {
        string before = (await GetAsync()).Text;

        (await PutAsync("/grants/operator", json)).ShouldBeProblem(400, "invalid-request");

        (await GetAsync()).Text.ShouldBe(before);
    }

    [Fact]
    public async Task A_grant_with_an_end_in_the_past_is_refused()
    {
        (await PutAsync("/grants/operator", """{"scopes":[],"until":"2020-01-01T00:00:00Z"}""")).ShouldBeProblem(422, "until-past");
        PairingRequest asked = await _admin.AskAsync(_claim.Asking("node"));
        (await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/approve", json: """{"until":"2020-01-01T00:00:00Z"}""")).ShouldBeProblem(422, "until-past");
    }

    [Fact]
    public async Task An_approval_with_an_end_does_not_end_scopes_that_are_held_without_one()
    {
        PairingRequest asked = await _admin.AskAsync(_claim.Asking("operator", "operator.admin"));
        PairingRequest node = await _admin.AskAsync(_claim.Asking("node"));
        const string hour = """{"until":"2999-01-01T00:00:00Z"}""";

        (await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/approve", json: hour)).ShouldBeProblem(422, "held-without-end");
        Answer named = await _admin.PostAsync($"/admin/v1/requests/{node.Id}/approve", json: """{"until":"2999-01-01T00:00:00Z","also":{"operator":["operator.read"]}}""");
        named.ShouldBeProblem(422, "held-without-end");
        named.Json.GetProperty("detail").GetString().ShouldBe("Held without end: operator");
        Answer approved = await _admin.PostAsync($"/admin/v1/requests/{node.Id}/approve", json: hour);

        approved.Status.ShouldBe(200);
        approved.Json.GetProperty("grants").GetProperty("node").GetProperty("until").GetString().ShouldBe("2999-01-01T00:00:00Z");
    }

    [Fact]
    public async Task A_grant_above_the_operators_ceiling_is_refused_and_audited()
    {
        (await PutAsync("/grants/operator", """{"scopes":["operator.write"]}""", TestAdmin.Limited)).ShouldBeProblem(403, "above-ceiling");
        (await PutAsync("/grants/node", """{"scopes":[]}""", TestAdmin.Limited)).ShouldBeProblem(403, "above-ceiling");
        (await PutAsync("/block", "{}", TestAdmin.Limited)).Status.ShouldBe(200);
        (await _admin.DeleteAsync(_device + "/block", TestAdmin.Limited)).ShouldBeProblem(403, "above-ceiling");
        (await PutAsync("/grants/operator", """{"scopes":["operator.read"]}""", TestAdmin.Limited)).Status.ShouldBe(200);
        (await _admin.DeleteAsync(_device + "/block", TestAdmin.Limited)).Status.ShouldBe(204);

        JsonElement[] entries = await EntriesAsync("operator-refused", count: 3);
        entries.ShouldAllBe(e => e.GetProperty("operator").GetString() == "lim" && e.GetProperty("reason").GetString() == "above-ceiling");
    }

    [Fact]
    public async Task A_label_is_text_and_nothing_else()
    {
        Answer set = await PutAsync("/label", """{"label":"  Anna\u202E's <b>phone</b>\u0000\n "}""");

        set.Json.GetProperty("label").GetString().ShouldBe("Anna's <b>phone</b>");
        (await PutAsync("/label", $$"""{"label":"{{new string('x', 10_000)}}"}""")).Json.GetProperty("label").GetString()!.Length.ShouldBe(100);
        (await PutAsync("/label", """{"label":"\u200B\u202E"}""")).ShouldBeProblem(422, "label-empty");
        (await PutAsync("/label", """{"label":null}""")).ShouldBeProblem(400, "invalid-request");
        (await _admin.DeleteAsync(_device + "/label")).Status.ShouldBe(204);
        (await GetAsync()).Members.ShouldNotContain("label");
        (await EntriesAsync("device-labelled", count: 3))[^1].GetProperty("note").GetString().ShouldBe("Anna's <b>phone</b>");
    }

    [Fact]
    public async Task A_block_shows_its_operator_and_reason_and_can_be_lifted()
    {
        Answer blocked = await PutAsync("/block", """{"reason":"lost on the train"}""");

        blocked.Status.ShouldBe(200);
        JsonElement block = blocked.Json.GetProperty("block");
        (block.GetProperty("by").GetString(), block.GetProperty("reason").GetString()).ShouldBe(("ops", "lost on the train"));
        blocked.Json.GetProperty("grants").GetProperty("operator").GetProperty("scopes").GetArrayLength().ShouldBe(2);
        (await _admin.DeleteAsync(_device + "/block")).Status.ShouldBe(204);
        (await _admin.DeleteAsync(_device + "/block")).ShouldBeProblem(404, "device-not-found");
        (await GetAsync()).Members.ShouldNotContain("block");
        (await EntriesAsync("device-blocked", count: 1))[0].GetProperty("note").GetString().ShouldBe("lost on the train");
        await EntriesAsync("device-unblocked", count: 1);
    }

    [Fact]
    public async Task An_unknown_device_can_be_blocked_shown_and_unblocked()
    {
        string stranger = $"/admin/v1/devices/{Some.Claim().Device}";

        Answer blocked = await _admin.SendAsync(HttpMethod.Put, stranger + "/block");

        blocked.Status.ShouldBe(200, blocked.Text);
        blocked.Members.ShouldBe(["id", "client", "block", "grants", "createdAt", "version"]);
        (await _admin.GetAsync("/admin/v1/devices")).Json.GetProperty("items").GetArrayLength().ShouldBe(2);
        (await _admin.DeleteAsync(stranger)).ShouldBeProblem(404, "device-not-found");
        (await _admin.DeleteAsync(stranger + "/block")).Status.ShouldBe(204);
        (await _admin.GetAsync(stranger)).ShouldBeProblem(404, "device-not-found");
    }

    [Fact]
    public async Task A_change_based_on_an_old_version_is_refused()
    {
        string seen = (await GetAsync()).Headers["ETag"];
        (await PutAsync("/label", """{"label":"somebody else's"}""")).Status.ShouldBe(200);

        (HttpMethod Method, string Path, string? Json)[] changes =
        [
            (HttpMethod.Put, "/grants/operator", """{"scopes":[]}"""), (HttpMethod.Delete, "/grants/operator", null), (HttpMethod.Put, "/label", """{"label":"mine"}"""),
            (HttpMethod.Delete, "/label", null), (HttpMethod.Put, "/block", null), (HttpMethod.Delete, "", null),
        ];
        string before = (await GetAsync()).Text;
        foreach ((HttpMethod method, string path, string? json) in changes)
        {
            (await ChangeAsync(method, path, json, seen)).ShouldBeProblem(412, "precondition-failed");
            (await ChangeAsync(method, path, json, "nonsense")).ShouldBeProblem(400, "invalid-request");
            (await GetAsync()).Text.ShouldBe(before);
        }

        string current = (await GetAsync()).Headers["ETag"];
        (await ChangeAsync(HttpMethod.Put, "/label", """{"label":"mine"}""", current)).Status.ShouldBe(200);
        (await ChangeAsync(HttpMethod.Delete, "", null, "*")).Status.ShouldBe(204);
        (await ChangeAsync(HttpMethod.Delete, "", null, current)).ShouldBeProblem(404, "device-not-found"); // it would be so without the condition
    }

    [Fact]
    public async Task Of_two_changes_of_the_same_version_the_second_is_refused()
    {
        string seen = (await GetAsync()).Headers["ETag"];

        Answer[] answers = await Task.WhenAll(
            Enumerable.Range(0, 8).Select(i => ChangeAsync(HttpMethod.Put, "/label", $$"""{"label":"operator {{i}}"}""", seen)));

        answers.Count(a => a.Status == 200).ShouldBe(1);
        answers.Count(a => a.Status == 412).ShouldBe(7);
    }

    [Fact]
    public async Task Of_two_operators_who_decide_a_request_at_once_one_decides()
    {
        PairingRequest asked = await _admin.AskAsync(_claim.Asking("node", "a", "b"));
        string path = $"/admin/v1/requests/{asked.Id}";

        Answer[] answers = await Task.WhenAll(
            _admin.PostAsync(path + "/approve"),
            _admin.PostAsync(path + "/approve", json: """{"scopes":["a"]}"""),
            _admin.PostAsync(path + "/approve", json: """{"scopes":["b"]}"""),
            _admin.PostAsync(path + "/reject"));

        answers.Count(a => a.Status == 200).ShouldBe(1);
        answers.Where(a => a.Status != 200).ShouldAllBe(a => a.Status == 409);
        Answer decided = await _admin.GetAsync(path);
        string[] granted = decided.Json.TryGetProperty("grantedScopes", out JsonElement scopes) ? [.. scopes.EnumerateArray().Select(s => s.GetString()!)] : [];
        string[] held = (await GetAsync()).Json.GetProperty("grants").TryGetProperty("node", out JsonElement node)
            ? [.. node.GetProperty("scopes").EnumerateArray().Select(s => s.GetString()!)]
            : [];
        held.ShouldBe(granted, "what the request says was granted is what is held");
    }

    [Fact]
    public async Task A_device_that_is_not_paired_gets_no_grant()
    {
        DeviceClaim stranger = Some.Claim("operator");
        await _admin.AskAsync(stranger);
        string path = $"/admin/v1/devices/{stranger.Device}";

        (await _admin.SendAsync(HttpMethod.Put, path + "/grants/operator", json: """{"scopes":["operator.admin"]}""")).ShouldBeProblem(404, "device-not-found");
        (await _admin.SendAsync(HttpMethod.Put, path + "/label", json: """{"label":"x"}""")).ShouldBeProblem(404, "device-not-found");
        (await _admin.DeleteAsync(path + "/grants/operator")).ShouldBeProblem(404, "device-not-found");
        (await _admin.SendAsync(HttpMethod.Put, "/admin/v1/devices/nonsense/block")).ShouldBeProblem(404, "device-not-found");
        (await _admin.SendAsync(HttpMethod.Put, _device + "/grants/no%20role", json: """{"scopes":[]}""")).ShouldBeProblem(400, "invalid-request");
    }

    [Fact]
    public async Task A_request_shows_which_scopes_are_new()
    {
        PairingRequest scopes = await _admin.AskAsync(_claim.Asking("operator", "operator.admin", "operator.read"));
        PairingRequest role = await _admin.AskAsync(_claim.Asking("node", "camera"));
        PairingRequest stranger = await _admin.AskAsync(Some.Claim("operator", "operator.read"));

        Answer upgrade = await _admin.GetAsync($"/admin/v1/requests/{scopes.Id}");
        upgrade.Json.GetProperty("heldRoles").GetRawText().ShouldBe("""["operator"]""");
        upgrade.Json.GetProperty("heldScopes").GetRawText().ShouldBe("""["operator.read","operator.write"]""");
        upgrade.Json.GetProperty("newScopes").GetRawText().ShouldBe("""["operator.admin"]""");
        Answer other = await _admin.GetAsync($"/admin/v1/requests/{role.Id}");
        other.Json.GetProperty("heldRoles").GetRawText().ShouldBe("""["operator"]""");
        other.Members.ShouldNotContain("heldScopes");
        other.Json.GetProperty("newScopes").GetRawText().ShouldBe("""["camera"]""");
        Answer first = await _admin.GetAsync($"/admin/v1/requests/{stranger.Id}");
        first.Members.ShouldNotContain("heldRoles");
        first.Json.GetProperty("newScopes").GetRawText().ShouldBe("""["operator.read"]""");
        JsonElement listed = (await _admin.GetAsync("/admin/v1/requests")).Json.GetProperty("items");
        listed.EnumerateArray().Single(r => r.GetProperty("id").GetString() == scopes.Id.ToString()).GetRawText().ShouldBe(upgrade.Json.GetRawText());
    }

    private Task<Answer> GetAsync() => _admin.GetAsync(_device);

    private Task<Answer> PutAsync(string path, string json, string key = TestAdmin.Approver) => _admin.SendAsync(HttpMethod.Put, _device + path, key, json);

    private Task<Answer> ChangeAsync(HttpMethod method, string path, string? json, string ifMatch) =>
        _admin.SendAsync(method, _device + path, json: json, configure: r => r.Headers.TryAddWithoutValidation("If-Match", ifMatch));

    private async Task<JsonElement[]> EntriesAsync(string kind, int count)
    {
        JsonElement[] entries = [];
        await Eventually.HoldsAsync(
            async () => (entries = [.. (await _admin.GetAsync($"/admin/v1/audit?kind={kind}")).Json.GetProperty("items").EnumerateArray()]).Length >= count,
            $"{count} entries of {kind}");
        entries.Length.ShouldBe(count);
        return entries;
    }
}
