using System.Text;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Admin;

public sealed class RequestEndpointTests : IAsyncLifetime
{
    private TestAdmin _admin = null!;

    public async Task InitializeAsync() => _admin = await TestAdmin.StartAsync();

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    [Fact]
    public async Task A_request_shows_what_a_device_asks_for()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.write", "operator.read");
        PairingRequest asked = await _admin.AskAsync(claim);

        Answer answer = await _admin.GetAsync($"/admin/v1/requests/{asked.Id}");

        answer.Status.ShouldBe(200);
        answer.MediaType.ShouldBe("application/json");
        answer.Members.ShouldBe(["id", "deviceId", "role", "scopes", "reason", "client", "locality", "status", "createdAt", "expiresAt", "newScopes"]);
        answer.Json.GetProperty("id").GetString().ShouldBe(asked.Id.ToString());
        answer.Json.GetProperty("deviceId").GetString().ShouldBe(claim.Device.ToString());
        answer.Json.GetProperty("scopes").EnumerateArray().Select(s => s.GetString()).ShouldBe(["operator.read", "operator.write"]);
        answer.Json.GetProperty("reason").GetString().ShouldBe("not-paired");
        answer.Json.GetProperty("client").GetRawText().ShouldBe("""{"id":"cli","displayName":"Some device"}""");
        answer.Json.GetProperty("locality").GetString().ShouldBe("remote");
        answer.Json.GetProperty("status").GetString().ShouldBe("open");
        answer.Json.GetProperty("createdAt").GetString().ShouldEndWith("Z");
        answer.Json.GetProperty("expiresAt").GetDateTimeOffset().ShouldBe(asked.ExpiresAt);
    }

    [Fact]
    public async Task Open_requests_are_listed_newest_first_page_by_page()
    {
        string[] asked = new string[5];
        for (int i = 0; i < asked.Length; i++)
            asked[i] = (await _admin.AskAsync(Some.Claim("operator", $"operator.{i}"))).Id.ToString();

        var listed = new List<string>();
        string cursor = "";
        for (int page = 0; page < 3; page++)
        {
            Answer answer = await _admin.GetAsync($"/admin/v1/requests?limit=2{cursor}");
            answer.Members.ShouldBe(["items", "next"]);
            listed.AddRange(answer.Json.GetProperty("items").EnumerateArray().Select(r => r.GetProperty("id").GetString()!));
            JsonElement next = answer.Json.GetProperty("next");
            next.ValueKind.ShouldBe(page < 2 ? JsonValueKind.String : JsonValueKind.Null);
            cursor = "&cursor=" + Uri.EscapeDataString(next.GetString() ?? "");
        }

        listed.Order().ShouldBe(asked.Order());
        listed.Select(id => id[..10]).ShouldBe(listed.Select(id => id[..10]).OrderDescending()); // the part that is the time
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=201")]
    [InlineData("limit=")]
    [InlineData("limit=1&limit=2")]
    [InlineData("limit=%2B5")]
    [InlineData("cursor=")]
    public async Task An_invalid_page_is_refused(string query)
    {
        (await _admin.GetAsync("/admin/v1/requests?" + query)).ShouldBeProblem(400, "invalid-request");
        (await _admin.GetAsync("/admin/v1/devices?" + query)).ShouldBeProblem(400, "invalid-request");
    }

    [Theory]
    [InlineData("01m81yeyz0ey1d4nngq3jdef2x")]
    [InlineData("nonsense")]
    [InlineData("..%2f..%2fdevices")]
    public async Task An_unknown_request_is_not_found(string id)
    {
        (await _admin.GetAsync($"/admin/v1/requests/{id}")).ShouldBeProblem(404, "request-not-found");
        (await _admin.PostAsync($"/admin/v1/requests/{id}/approve")).ShouldBeProblem(404, "request-not-found");
        (await _admin.PostAsync($"/admin/v1/requests/{id}/reject")).ShouldBeProblem(404, "request-not-found");
    }

    [Fact]
    public async Task Approving_answers_with_the_device_also_when_repeated()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        PairingRequest asked = await _admin.AskAsync(claim);

        for (int i = 0; i < 2; i++)
        {
            Answer answer = await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/approve");

            answer.Status.ShouldBe(200);
            answer.Json.GetProperty("id").GetString().ShouldBe(claim.Device.ToString());
            JsonElement grant = answer.Json.GetProperty("grants").GetProperty("operator");
            grant.GetProperty("approvedBy").GetString().ShouldBe("ops");
            grant.GetProperty("scopes").GetRawText().ShouldBe("""["operator.read"]""");
        }

        Answer resolved = await _admin.GetAsync($"/admin/v1/requests/{asked.Id}");
        resolved.Json.GetProperty("status").GetString().ShouldBe("approved");
        resolved.Json.GetProperty("resolvedBy").GetString().ShouldBe("ops");
        resolved.Json.GetProperty("grantedScopes").GetRawText().ShouldBe("""["operator.read"]""");
        (await _admin.GetAsync("/admin/v1/requests")).Json.GetProperty("items").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task Approving_less_than_was_asked_grants_less()
    {
        PairingRequest asked = await _admin.AskAsync(Some.Claim("operator", "operator.read", "operator.write"));

        Answer answer = await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/approve", json: """{"scopes":["operator.read"]}""");

        answer.Status.ShouldBe(200);
        answer.Json.GetProperty("grants").GetProperty("operator").GetProperty("scopes").GetRawText().ShouldBe("""["operator.read"]""");
        (await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/approve")).ShouldBeProblem(409, "already-resolved");
    }

    [Fact]
    public async Task Approving_more_than_was_asked_is_refused()
    {
        PairingRequest asked = await _admin.AskAsync(Some.Claim("operator", "operator.read"));

        (await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/approve", json: """{"scopes":["operator.admin"]}""")).ShouldBeProblem(422, "wider-than-asked");
    }

    [Fact]
    public async Task An_approval_above_the_operators_ceiling_is_refused()
    {
        PairingRequest write = await _admin.AskAsync(Some.Claim("operator", "operator.write", "operator.read"));
        PairingRequest node = await _admin.AskAsync(Some.Claim("node"));

        (await _admin.PostAsync($"/admin/v1/requests/{write.Id}/approve", TestAdmin.Limited)).ShouldBeProblem(403, "above-ceiling");
        (await _admin.PostAsync($"/admin/v1/requests/{node.Id}/approve", TestAdmin.Limited)).ShouldBeProblem(403, "above-ceiling");
        (await _admin.PostAsync($"/admin/v1/requests/{write.Id}/approve", TestAdmin.Limited, """{"scopes":["operator.read"]}""")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task One_decision_grants_other_roles_and_resolves_what_they_cover()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        PairingRequest other = await _admin.AskAsync(claim);
        PairingRequest asked = await _admin.AskAsync(claim.Asking("node", "camera"));
        const string body = """{"also":{"operator":["operator.write"],"watcher":[]}}""";

        for (int i = 0; i < 2; i++)
        {
            Answer answer = await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/approve", json: body);
            answer.Status.ShouldBe(200);
            answer.Json.GetProperty("grants").EnumerateObject().Select(g => $"{g.Name} {g.Value.GetProperty("scopes").GetRawText()}")
                .ShouldBe(["node [\"camera\"]", "operator [\"operator.write\"]", "watcher []"]);
        }

        (await _admin.GetAsync($"/admin/v1/requests/{other.Id}")).Json.GetProperty("status").GetString().ShouldBe("covered");
        (await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/approve", json: """{"also":{"operator":["operator.admin"]}}""")).ShouldBeProblem(409, "already-resolved");
    }

    [Fact]
    public async Task Nobody_grants_above_their_ceiling_together_with_a_request()
    {
        PairingRequest read = await _admin.AskAsync(Some.Claim("operator", "operator.read"));

        foreach (string also in new[] { """{"operator":["operator.write"]}""", """{"node":[]}""" })
            (await _admin.PostAsync($"/admin/v1/requests/{read.Id}/approve", TestAdmin.Limited, $$"""{"also":{{also}}}""")).ShouldBeProblem(403, "above-ceiling");

        (await _admin.GetAsync($"/admin/v1/requests/{read.Id}")).Json.GetProperty("status").GetString().ShouldBe("open");
        await Eventually.HoldsAsync(
            async () => (await _admin.GetAsync("/admin/v1/audit?kind=operator-refused")).Json.GetProperty("items").EnumerateArray()
                .Select(e => e.GetProperty("role").GetString()).SequenceEqual(["node", "operator"]),
            "each attempt is on record, with the role that is above the ceiling");
    }

    [Theory]
    [InlineData("""{"also":null}""")]
    [InlineData("""{"also":[]}""")]
    [InlineData("""{"also":{"operator":null}}""")]
    [InlineData("""{"also":{"operator":"operator.read"}}""")]
    [InlineData("""{"also":{"oper ator":[]}}""")]
    [InlineData("""{"also":{"":[]}}""")]
    [InlineData("""{"also":{"..":[]}}""")]
    [InlineData("""{"also":{"operator":[],"operator":["operator.admin"]}}""")]
    [InlineData("""{"also":{"a":[],"b":[],"c":[],"d":[],"e":[],"f":[],"g":[],"h":[],"i":[]}}""")]
    [InlineData("""{"scope":["operator.read"]}""")]
    [InlineData("""{"Scopes":["operator.read"]}""")]
    [InlineData("""{"scopes":"operator.read"}""")]
    [InlineData("""{"scopes":null}""")]
    [InlineData("""{"scopes":[1]}""")]
    [InlineData("""{"scopes":["operator read"]}""")]
    [InlineData("""{"scopes":[],"scopes":["operator.read"]}""")]
    [InlineData("""{"scopes":[],"\u0073copes":["operator.read"]}""")]
    [InlineData("""{"scopes":[]} {}""")]
    [InlineData("""{"scopes":[],}""")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{")]
    public async Task An_invalid_approval_approves_nothing(string json)
    {
        PairingRequest asked = await _admin.AskAsync(Some.Claim("operator", "operator.read"));

        (await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/approve", json: json)).ShouldBeProblem(400, "invalid-request");

        (await _admin.GetAsync($"/admin/v1/requests/{asked.Id}")).Json.GetProperty("status").GetString().ShouldBe("open");
    }

    [Fact]
    public async Task An_approval_may_have_no_body_or_no_scopes()
    {
        PairingRequest all = await _admin.AskAsync(Some.Claim("operator", "operator.read"));
        PairingRequest none = await _admin.AskAsync(Some.Claim("operator", "operator.read"));

        (await _admin.PostAsync($"/admin/v1/requests/{all.Id}/approve", json: "{}"))
            .Json.GetProperty("grants").GetProperty("operator").GetProperty("scopes").GetArrayLength().ShouldBe(1);
        (await _admin.PostAsync($"/admin/v1/requests/{none.Id}/approve", json: """{"scopes":[]}"""))
            .Json.GetProperty("grants").GetProperty("operator").GetProperty("scopes").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task A_body_that_is_not_JSON_or_too_large_is_refused()
    {
        PairingRequest asked = await _admin.AskAsync(Some.Claim("operator", "operator.read"));
        string path = $"/admin/v1/requests/{asked.Id}/approve";

        (await _admin.SendAsync(HttpMethod.Post, path, configure: r => r.Content = new StringContent("{}", Encoding.UTF8, "text/plain")))
            .ShouldBeProblem(415, "not-json");
        (await _admin.PostAsync(path, json: $$"""{"scopes":["{{new string('a', 100_000)}}"]}""")).ShouldBeProblem(413, "body-too-large");
    }

    [Fact]
    public async Task Rejecting_answers_with_the_request_also_when_repeated()
    {
        PairingRequest asked = await _admin.AskAsync(Some.Claim("operator", "operator.read"));

        for (int i = 0; i < 2; i++)
        {
            Answer answer = await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/reject");
            answer.Status.ShouldBe(200);
            answer.Json.GetProperty("status").GetString().ShouldBe("rejected");
            answer.Json.GetProperty("resolvedBy").GetString().ShouldBe("ops");
        }

        (await _admin.PostAsync($"/admin/v1/requests/{asked.Id}/approve")).ShouldBeProblem(409, "already-resolved");
    }
}
