using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Admin;

public sealed class SessionEndpointTests : IAsyncLifetime
{
    private TestAdmin _admin = null!;

    public async Task InitializeAsync() => _admin = await TestAdmin.StartAsync();

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    [Fact]
    public async Task A_session_shows_device_role_start_and_end()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read");
        using Session session = Admit(claim, until: DateTimeOffset.UtcNow.AddHours(1));

        Answer answer = await _admin.GetAsync("/admin/v1/sessions", TestAdmin.Viewer);

        answer.Status.ShouldBe(200);
        System.Text.Json.JsonElement shown = answer.Json.GetProperty("items").EnumerateArray().ShouldHaveSingleItem();
        shown.EnumerateObject().Select(m => m.Name).ShouldBe(["id", "deviceId", "role", "scopes", "client", "address", "locality", "startedAt", "endsAt"]);
        shown.GetProperty("deviceId").GetString().ShouldBe(claim.Device.ToString());
        shown.GetProperty("scopes").GetRawText().ShouldBe("""["operator.read"]""");
        shown.GetProperty("address").GetString().ShouldBe("127.0.0.1");
        shown.GetProperty("locality").GetString().ShouldBe("loopback");
        shown.GetProperty("startedAt").GetString().ShouldEndWith("Z");
    }

    [Fact]
    public async Task Only_admitted_sessions_that_are_not_closing_are_listed()
    {
        using Session live = Admit(Some.Claim());
        using Session closed = Admit(Some.Claim());
        closed.Close(Closing.GrantRevoked);
        using Session provisional = _admin.Sessions.TryEnter(Some.Claim(), Some.Loopback, limit: 1)!;
        Admit(Some.Claim()).Dispose();

        (await IdsAsync("/admin/v1/sessions")).ShouldBe([live.Claim.Device.ToString()]);
    }

    [Fact]
    public async Task Sessions_are_listed_oldest_first_page_by_page_and_by_device()
    {
        DeviceClaim claim = Some.Claim();
        Session[] sessions = [Admit(claim), Admit(Some.Claim()), Admit(claim), Admit(Some.Claim()), Admit(claim)];

        (await IdsAsync("/admin/v1/sessions?limit=2")).ShouldBe(sessions.Select(s => s.Claim.Device.ToString()));
        (await IdsAsync($"/admin/v1/sessions?limit=2&device={claim.Device}")).ShouldBe(Enumerable.Repeat(claim.Device.ToString(), 3));
        foreach (string query in new[] { "device=x", "device=", $"device={claim.Device}&device={claim.Device}", "cursor=x", "limit=0" })
            (await _admin.GetAsync("/admin/v1/sessions?" + query)).ShouldBeProblem(400, "invalid-request");
        foreach (Session session in sessions)
            session.Dispose();
    }

    private Session Admit(DeviceClaim claim, DateTimeOffset? until = null)
    {
        DeviceRecord record = Some.Paired(claim, DateTimeOffset.UtcNow);
        record = record with { Grants = record.Grants.SetItem(claim.Role, record.Grants[claim.Role] with { Until = until }) };
        Session session = _admin.Sessions.TryEnter(claim, Some.Loopback, limit: 10)!;
        session.TryAdmit(record, DateTimeOffset.UtcNow).ShouldBeTrue();
        return session;
    }

    private async Task<List<string>> IdsAsync(string path)
    {
        var ids = new List<string>();
        string cursor = "";
        do
        {
            Answer page = await _admin.GetAsync(path + cursor);
            ids.AddRange(page.Json.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("deviceId").GetString()!));
            cursor = page.Json.GetProperty("next").GetString() is { } next ? $"{(path.Contains('?') ? '&' : '?')}cursor={next}" : "";
        }
        while (cursor.Length > 0);
        return ids;
    }
}
