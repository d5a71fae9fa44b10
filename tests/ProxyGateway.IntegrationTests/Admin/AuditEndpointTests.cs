using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Admin;

public sealed class AuditEndpointTests : IAsyncLifetime
{
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read", "operator.write");
    private TestAdmin _admin = null!;

    public async Task InitializeAsync() => _admin = await TestAdmin.StartAsync();

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    [Fact]
    public async Task Operators_actions_are_listed_newest_first_with_names_and_addresses()
    {
        PairingRequest request = await _admin.AskAsync(_claim);
        (await _admin.PostAsync($"/admin/v1/requests/{request.Id}/approve", TestAdmin.Limited)).ShouldBeProblem(403, "above-ceiling");
        (await _admin.PostAsync($"/admin/v1/requests/{request.Id}/approve")).Status.ShouldBe(200);
        (await _admin.DeleteAsync($"/admin/v1/devices/{_claim.Device}")).Status.ShouldBe(204);

        JsonElement[] items = await ItemsAsync("", count: 4);

        items.Select(i => i.GetProperty("kind").GetString()).ShouldBe(["device-removed", "request-approved", "operator-refused", "request-opened"]);
        items[1].EnumerateObject().Select(m => m.Name).ShouldBe(
            ["id", "time", "gateway", "kind", "deviceId", "requestId", "role", "scopes", "operator", "address"]);
        items[1].GetProperty("id").ValueKind.ShouldBe(JsonValueKind.String);
        items[1].GetProperty("time").GetString().ShouldEndWith("Z");
        items[1].GetProperty("requestId").GetString().ShouldBe(request.Id.ToString());
        items[1].GetProperty("operator").GetString().ShouldBe("ops");
        items[1].GetProperty("address").GetString().ShouldBe("127.0.0.1");
        items[2].GetProperty("operator").GetString().ShouldBe("lim");
        items[2].GetProperty("reason").GetString().ShouldBe("above-ceiling");
        items[3].GetProperty("client").GetProperty("displayName").GetString().ShouldBe("Some device");
    }

    [Fact]
    public async Task The_audit_is_listed_page_by_page_and_filtered()
    {
        for (int i = 0; i < 5; i++)
            await _admin.PairAsync(Some.Claim("operator", "operator.read"));
        DeviceId device = await _admin.PairAsync(_claim);
        await ItemsAsync("", count: 12);

        var listed = new List<string>();
        string query = "?limit=5";
        while (true)
        {
            Answer answer = await _admin.GetAsync("/admin/v1/audit" + query);
            listed.AddRange(answer.Json.GetProperty("items").EnumerateArray().Select(e => e.GetProperty("id").GetString()!));
            if (answer.Json.GetProperty("next").GetString() is not { } next)
                break;
            query = "?limit=5&cursor=" + next;
        }

        listed.Count.ShouldBe(12);
        listed.ShouldBeUnique();
        (await ItemsAsync($"?device={device}", count: 2)).Length.ShouldBe(2);
        (await ItemsAsync("?kind=request-approved", count: 6)).Length.ShouldBe(6);
        (await ItemsAsync($"?kind=request-approved&device={device}&operator=ops", count: 1)).Length.ShouldBe(1);
        (await ItemsAsync("?operator=nobody", count: 0)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Viewers_may_read_the_audit_and_nobody_may_without_a_key()
    {
        (await _admin.GetAsync("/admin/v1/audit", TestAdmin.Viewer)).Status.ShouldBe(200);
        (await _admin.GetAsync("/admin/v1/audit", key: null)).ShouldBeProblem(401, "unauthorized");
        (await _admin.PostAsync("/admin/v1/audit")).ShouldBeProblem(405, "method-not-allowed");
    }

    [Theory]
    [InlineData("kind=nonsense")]
    [InlineData("kind=")]
    [InlineData("kind=device-removed&kind=device-removed")]
    [InlineData("device=nonsense")]
    [InlineData("operator=")]
    [InlineData("limit=0")]
    [InlineData("limit=201")]
    [InlineData("cursor=nonsense")]
    [InlineData("cursor=-1")]
    [InlineData("cursor=99999999999999999999")]
    public async Task An_invalid_query_is_refused_with_the_reason(string query) =>
        (await _admin.GetAsync("/admin/v1/audit?" + query)).ShouldBeProblem(400, "invalid-request");

    [Fact]
    public async Task Without_an_audit_the_answer_says_so()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("admin-");
        SqliteDeviceStore store = SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path.Combine(folder.FullName, "registry.db") }, TimeProvider.System);
        await using (TestAdmin off = await TestAdmin.StartAsync(new PausingStore(store))) // which keeps none
            (await off.GetAsync("/admin/v1/audit")).ShouldBeProblem(404, "audit-off");
        folder.Delete(recursive: true);
    }

    private async Task<JsonElement[]> ItemsAsync(string query, int count)
    {
        JsonElement[] items = [];
        await Eventually.HoldsAsync(
            async () => (items = [.. (await _admin.GetAsync("/admin/v1/audit" + query)).Json.GetProperty("items").EnumerateArray()]).Length >= count,
            $"the audit{query} has {count} entries");
        return items;
    }
}
