using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>Many devices at a time: imports, taking back a rule's approvals, and lists that others write to meanwhile.</summary>
public sealed class FleetEndpointTests : IAsyncLifetime
{
    private TestAdmin _admin = null!;

    public async Task InitializeAsync() => _admin = await TestAdmin.StartAsync();

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    [Fact]
    public async Task A_dry_run_reports_what_the_run_would_do()
    {
        DeviceClaim fresh = Some.Claim();
        DeviceClaim held = Some.Claim("operator", "operator.read");
        await _admin.PairAsync(held);
        DeviceClaim removed = Some.Claim("operator", "operator.read");
        await _admin.DeleteAsync($"/admin/v1/devices/{await _admin.PairAsync(removed)}");
        string devices = string.Join(
            ',',
            Device(fresh.PublicKey, """{"operator":{"scopes":["operator.write"]},"node":{}}""", $$"""
                ,"id":"{{fresh.Device}}","label":"Phone","client":{"id":"ios"}
                """),
            Device(held.PublicKey, """{"operator":{"scopes":["operator.read"]}}"""),
            Device(removed.PublicKey, """{"operator":{"scopes":["operator.read"]}}"""),
            Device(held.PublicKey, """{"operator":{"scopes":[]}}""", $$"""
                ,"id":"{{fresh.Device}}"
                """),
            Device("AAAA", """{"operator":{"scopes":[]}}"""));

        Answer dry = await ImportAsync($$"""{"dryRun":true,"devices":[{{devices}}]}""");
        dry.Json.GetProperty("dryRun").GetBoolean().ShouldBeTrue();
        Outcomes(dry).ShouldBe(["added", "unchanged", "refused-before", "invalid", "invalid"]);
        (await _admin.GetAsync($"/admin/v1/devices/{fresh.Device}")).ShouldBeProblem(404, "device-not-found");
        Answer run = await ImportAsync($$"""{"devices":[{{devices}}]}""");

        Outcomes(run).ShouldBe(Outcomes(dry));
        Answer imported = await _admin.GetAsync($"/admin/v1/devices/{fresh.Device}");
        imported.Json.GetProperty("label").GetString().ShouldBe("Phone");
        imported.Json.GetProperty("grants").GetProperty("operator").GetProperty("approvedBy").GetString().ShouldBe("ops");
        imported.Json.GetProperty("grants").GetProperty("node").TryGetProperty("scopes", out _).ShouldBeFalse("nobody kept any");
        (await _admin.GetAsync($"/admin/v1/devices/{removed.Device}")).ShouldBeProblem(404, "device-not-found");
        Outcomes(await ImportAsync($$"""{"devices":[{{devices}}]}""")).ShouldBe(["unchanged", "unchanged", "refused-before", "invalid", "invalid"]);
        await Eventually.HoldsAsync(
            async () => (await _admin.GetAsync("/admin/v1/audit?kind=device-imported")).Json.GetProperty("items").GetArrayLength() == 1, "one is on record");
    }

    [Fact]
    public async Task An_import_above_the_operators_ceiling_is_refused()
    {
        DeviceClaim claim = Some.Claim();
        string body = $$"""{"devices":[{{Device(claim.PublicKey, """{"operator":{"scopes":["operator.admin"]}}""")}}]}""";

        Outcomes(await ImportAsync(body, TestAdmin.Limited)).ShouldBe(["above-ceiling"]);
        (await ImportAsync(body, TestAdmin.Viewer)).ShouldBeProblem(403, "viewer-only");
        (await _admin.GetAsync($"/admin/v1/devices/{claim.Device}")).ShouldBeProblem(404, "device-not-found");
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("""{"devices":null}""")]
    [InlineData("""{"devices":[null]}""")]
    [InlineData("""{"devices":[{"publicKey":null}]}""")]
    [InlineData("""{"devices":[{"privateKey":"x","publicKey":"x"}]}""")]
    [InlineData("""{"devices":[],"dryrun":true}""")]
    public async Task An_invalid_import_imports_nothing(string json) => (await ImportAsync(json)).ShouldBeProblem(400, "invalid-request");

    [Fact]
    public async Task An_import_is_bounded()
    {
        string device = Device(Some.Claim().PublicKey, """{"operator":{"scopes":[]}}""");

        (await ImportAsync($$"""{"devices":[{{string.Join(',', Enumerable.Repeat(device, 501))}}]}""")).ShouldBeProblem(400, "invalid-request");
        string tooLong = $$"""{"devices":[],"dryRun":{{new string(' ', 4 * 1024 * 1024)}}true}""";
        Answer refused = await _admin.SendAsync(
            HttpMethod.Post, "/admin/v1/devices/import", json: tooLong, configure: r => r.Headers.ExpectContinue = true); // refused before it is sent
        refused.ShouldBeProblem(413, "body-too-large");
    }

    [Theory]
    [InlineData("""{"operator":null}""")]
    [InlineData("""{"no role":{"scopes":[]}}""")]
    [InlineData("{}")]
    public async Task A_device_with_invalid_grants_is_not_imported_and_the_others_are(string grants)
    {
        DeviceClaim claim = Some.Claim();
        DeviceClaim sound = Some.Claim();

        string devices = Device(claim.PublicKey, grants) + "," + Device(sound.PublicKey, """{"operator":{"scopes":[]}}""");
        Answer answer = await ImportAsync($$"""{"devices":[{{devices}}]}""");

        Outcomes(answer).ShouldBe(["invalid", "added"]);
        answer.Json.GetProperty("items")[0].GetProperty("detail").GetString().ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public async Task Removing_by_rule_takes_back_the_rules_grants_and_leaves_others()
    {
        DeviceClaim byRule = Some.Claim("operator", "operator.read");
        DeviceClaim both = Some.Claim("operator", "operator.read");
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        foreach (DeviceClaim claim in new[] { byRule, both })
            (await _admin.Registry.AdmitAsync(claim, Some.Loopback, silent, default)).ShouldBeOfType<Admission.Admitted>();
        await _admin.PairAsync(both.Asking("node"));
        DeviceClaim operators = Some.Claim("operator");
        await _admin.PairAsync(operators);

        Answer dry = await _admin.PostAsync("/admin/v1/devices/remove-by-rule", json: """{"rule":"loopback","dryRun":true}""");
        dry.Json.GetRawText().ShouldBe("""{"dryRun":true,"removed":1,"narrowed":1}""");
        (await _admin.GetAsync($"/admin/v1/devices/{byRule.Device}")).Status.ShouldBe(200);
        Answer run = await _admin.PostAsync("/admin/v1/devices/remove-by-rule", json: """{"rule":"loopback"}""");

        run.Json.GetRawText().ShouldBe("""{"dryRun":false,"removed":1,"narrowed":1}""");
        (await _admin.GetAsync($"/admin/v1/devices/{byRule.Device}")).ShouldBeProblem(404, "device-not-found");
        (await _admin.GetAsync($"/admin/v1/devices/{both.Device}")).Json.GetProperty("grants").EnumerateObject().Select(g => g.Name).ShouldBe(["node"]);
        (await _admin.GetAsync($"/admin/v1/devices/{operators.Device}")).Status.ShouldBe(200);
        (await _admin.Registry.AdmitAsync(both, Some.Loopback, silent, default)).ShouldBeOfType<Admission.Refused>("no rule gives it back");
        (await _admin.PostAsync("/admin/v1/devices/remove-by-rule", json: """{"rule":"loopback"}""")).Json.GetRawText()
            .ShouldBe("""{"dryRun":false,"removed":0,"narrowed":0}""");
        (await _admin.PostAsync("/admin/v1/devices/remove-by-rule")).ShouldBeProblem(400, "invalid-request");
        (await _admin.PostAsync("/admin/v1/devices/remove-by-rule", TestAdmin.Viewer, """{"rule":"loopback"}""")).ShouldBeProblem(403, "viewer-only");
    }

    [Fact]
    public async Task A_grant_of_a_rule_and_an_operator_shows_both_and_loses_only_the_rules_part()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        await _admin.PairAsync(claim);
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        (await _admin.Registry.AdmitAsync(claim.Asking("operator", "operator.write"), Some.Loopback, silent, default)).ShouldBeOfType<Admission.Admitted>();

        JsonElement grant = (await _admin.GetAsync($"/admin/v1/devices/{claim.Device}")).Json.GetProperty("grants").GetProperty("operator");
        grant.EnumerateObject().Select(m => m.Name).ShouldBe(["scopes", "approvedAt", "rule", "parts"]);
        grant.GetProperty("parts").EnumerateObject().Select(m => m.Name).ShouldBe(["rules", "approvedBy", "approvedAt"]);
        grant.GetProperty("parts").GetProperty("rules").GetRawText().ShouldBe("""{"loopback":["operator.write"]}""");

        (await _admin.PostAsync("/admin/v1/devices/remove-by-rule", json: """{"rule":"loopback","dryRun":true}""")).Json.GetProperty("narrowed").GetInt32().ShouldBe(1);
        (await _admin.PostAsync("/admin/v1/devices/remove-by-rule", json: """{"rule":"loopback"}""")).Json.GetProperty("narrowed").GetInt32().ShouldBe(1);
        grant = (await _admin.GetAsync($"/admin/v1/devices/{claim.Device}")).Json.GetProperty("grants").GetProperty("operator");
        grant.EnumerateObject().Select(m => m.Name).ShouldBe(["scopes", "approvedAt", "approvedBy"]);
        grant.GetProperty("scopes").GetRawText().ShouldBe("""["operator.read"]""");
    }

    [Fact]
    public async Task A_rules_part_is_imported_as_the_rules()
    {
        DeviceClaim claim = Some.Claim();
        string grants = """{"operator":{"scopes":["a","b"],"parts":{"rules":{"office":["b"]}}},"node":{"scopes":["c"],"parts":{"rules":{"office":["c"]},"role":"office"}}}""";

        Outcomes(await ImportAsync($$"""{"devices":[{{Device(claim.PublicKey, grants)}}]}""")).ShouldBe(["added"]);

        JsonElement device = (await _admin.GetAsync($"/admin/v1/devices/{claim.Device}")).Json.GetProperty("grants");
        device.GetProperty("operator").GetProperty("parts").GetProperty("rules").GetRawText().ShouldBe("""{"office":["b"]}""");
        device.GetProperty("node").GetProperty("rule").GetString().ShouldBe("office");
        Outcomes(await ImportAsync($$"""{"devices":[{{Device(claim.PublicKey, grants)}}]}""")).ShouldBe(["unchanged"]);
        (await _admin.PostAsync("/admin/v1/devices/remove-by-rule", json: """{"rule":"office"}""")).Json.GetProperty("narrowed").GetInt32().ShouldBe(1);
        device = (await _admin.GetAsync($"/admin/v1/devices/{claim.Device}")).Json.GetProperty("grants");
        device.EnumerateObject().Select(g => $"{g.Name} {g.Value.GetProperty("scopes").GetRawText()}").ShouldBe(["""operator ["a"]"""]);
    }

    [Theory]
    [InlineData("""{"rules":{"office":["z"]}}""")]
    [InlineData("""{"rules":{"office":["a"],"lab":["a"]}}""")]
    [InlineData("""{"rules":{"off ice":["a"]}}""")]
    [InlineData("""{"rules":{"office":null}}""")]
    [InlineData("""{"rules":{},"role":""}""")]
    public async Task Parts_that_do_not_fit_the_grant_are_not_imported(string parts) =>
        Outcomes(await ImportAsync($$"""{"devices":[{{Device(Some.Claim().PublicKey, """{"operator":{"scopes":["a"],"parts":""" + parts + "}}")}}]}""")).ShouldBe(["invalid"]);

    [Fact]
    public async Task An_operators_import_counts_as_the_operators_approval()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        (await _admin.Registry.AdmitAsync(claim, Some.Loopback, silent, default)).ShouldBeOfType<Admission.Admitted>();
        string body = $$"""{"devices":[{{Device(claim.PublicKey, """{"operator":{"scopes":["operator.read"]}}""")}}]}""";

        Outcomes(await ImportAsync(body)).ShouldBe(["extended"]);
        Outcomes(await ImportAsync(body)).ShouldBe(["unchanged"]);

        (await _admin.PostAsync("/admin/v1/devices/remove-by-rule", json: """{"rule":"loopback"}""")).Json.GetRawText()
            .ShouldBe("""{"dryRun":false,"removed":0,"narrowed":0}""");
    }

    [Fact]
    public async Task Removing_by_rule_in_parts_continues_where_the_last_part_ended()
    {
        PairingRules silent = Some.Rules with { Policy = PairingPolicy.Default };
        for (int i = 0; i < 7; i++)
            (await _admin.Registry.AdmitAsync(Some.Claim("operator"), Some.Loopback, silent, default)).ShouldBeOfType<Admission.Admitted>();
        DeviceId operators = await _admin.PairAsync(Some.Claim("operator"));

        (await PartsAsync(dryRun: true)).ShouldBe([3, 3, 1]);
        (await RemoveAsync("""{"rule":"loopback","limit":2}""")).Removed.ShouldBe(2); // and the client that waited for the answer is gone
        (await PartsAsync(dryRun: false)).ShouldBe([3, 2], "from the start, it goes on where it was");
        (await PartsAsync(dryRun: false)).ShouldBe([0]);

        (await _admin.GetAsync("/admin/v1/devices")).Json.GetProperty("items").EnumerateArray().Select(d => d.GetProperty("id").GetString()).ShouldBe([operators.ToString()]);
        foreach (string wrong in new[] { "\"limit\":0", "\"limit\":10001", "\"cursor\":\"\"", $"\"cursor\":\"{new string('x', 1000)}\"" })
            (await _admin.PostAsync("/admin/v1/devices/remove-by-rule", json: $$"""{"rule":"loopback",{{wrong}}}""")).ShouldBeProblem(400, "invalid-request");

        async Task<int[]> PartsAsync(bool dryRun)
        {
            var parts = new List<int>();
            string? cursor = null;
            do
            {
                string from = cursor is null ? "" : $",\"cursor\":\"{cursor}\"";
                (int removed, cursor) = await RemoveAsync($$"""{"rule":"loopback","dryRun":{{(dryRun ? "true" : "false")}},"limit":3{{from}}}""");
                if (removed > 0 || cursor is null)
                    parts.Add(removed);
            }
            while (cursor is not null);
            return parts is [.., > 0, 0] ? [.. parts[..^1]] : [.. parts]; // the last part may find nothing more
        }

        async Task<(int Removed, string? Next)> RemoveAsync(string json)
        {
            Answer answer = await _admin.PostAsync("/admin/v1/devices/remove-by-rule", json: json);
            answer.Status.ShouldBe(200, answer.Text);
            return (answer.Json.GetProperty("removed").GetInt32(), answer.Json.TryGetProperty("next", out var next) ? next.GetString() : null);
        }
    }

    [Fact]
    public async Task A_list_has_every_entry_that_existed_all_the_time()
    {
        var devices = new List<string>();
        var requests = new List<string>();
        for (int i = 0; i < 20; i++)
        {
            devices.Add((await _admin.PairAsync(Some.Claim("operator"))).ToString());
            requests.Add((await _admin.AskAsync(Some.Claim("operator", $"operator.{i}"))).Id.ToString());
        }

        using var done = new CancellationTokenSource();
        Task others = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                DeviceId passing = await _admin.PairAsync(Some.Claim("operator"));
                await _admin.Registry.RemoveAsync(passing, Some.Operator, Some.Rules, default);
                PairingRequest asked = await _admin.AskAsync(Some.Claim("operator"));
                await _admin.Registry.RejectAsync(asked.Id, Some.Operator, Some.Rules, default);
            }
        });
        List<string> listedDevices = await ListAsync("/admin/v1/devices?limit=3");
        List<string> listedRequests = await ListAsync("/admin/v1/requests?limit=3");
        await done.CancelAsync();
        await others;

        listedDevices.ShouldBeUnique();
        listedRequests.ShouldBeUnique();
        devices.Except(listedDevices).ShouldBeEmpty();
        requests.Except(listedRequests).ShouldBeEmpty();
    }

    private async Task<List<string>> ListAsync(string path)
    {
        var ids = new List<string>();
        string cursor = "";
        while (true)
        {
            Answer page = await _admin.GetAsync(path + cursor);
            page.Status.ShouldBe(200, page.Text);
            ids.AddRange(page.Json.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("id").GetString()!));
            if (page.Json.GetProperty("next").GetString() is not { } next)
                return ids;
            cursor = "&cursor=" + Uri.EscapeDataString(next);
        }
    }

    private Task<Answer> ImportAsync(string json, string key = TestAdmin.Approver) => _admin.PostAsync("/admin/v1/devices/import", key, json);

    private static string Device(string publicKey, string grants, string more = "") => $$"""{"publicKey":"{{publicKey}}","grants":{{grants}}{{more}}}""";

    private static string?[] Outcomes(Answer answer)
    {
        answer.Status.ShouldBe(200, answer.Text);
        return [.. answer.Json.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("outcome").GetString())];
    }
}
