using System.Collections.Immutable;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;
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
        using DeviceSession session = Admit(claim, until: DateTimeOffset.UtcNow.AddHours(1));

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
        using DeviceSession live = Admit(Some.Claim());
        using DeviceSession closed = Admit(Some.Claim());
        closed.Close(Closing.GrantRevoked);
        using DeviceSession provisional = _admin.Sessions.TryEnter(Some.Claim(), Some.Loopback, limit: 1)!;
        Admit(Some.Claim()).Dispose();

        (await IdsAsync("/admin/v1/sessions")).ShouldBe([live.Claim.Device.ToString()]);
    }

    [Fact]
    public async Task Sessions_are_listed_oldest_first_page_by_page_and_by_device()
    {
        DeviceClaim claim = Some.Claim();
        DeviceSession[] sessions = [Admit(claim), Admit(Some.Claim()), Admit(claim), Admit(Some.Claim()), Admit(claim)];

        (await IdsAsync("/admin/v1/sessions?limit=2")).ShouldBe(sessions.Select(s => s.Claim.Device.ToString()));
        (await IdsAsync($"/admin/v1/sessions?limit=2&device={claim.Device}")).ShouldBe(Enumerable.Repeat(claim.Device.ToString(), 3));
        foreach (string query in new[] { "device=x", "device=", $"device={claim.Device}&device={claim.Device}", "cursor=x", "limit=0" })
            (await _admin.GetAsync("/admin/v1/sessions?" + query)).ShouldBeProblem(400, "invalid-request");
        foreach (DeviceSession session in sessions)
            session.Dispose();
    }

    [Fact]
    public async Task A_session_without_a_device_shows_its_user()
    {
        using DevicelessSession session = AdmitDeviceless(user: 1000);

        System.Text.Json.JsonElement shown = (await _admin.GetAsync("/admin/v1/sessions", TestAdmin.Viewer)).Json.GetProperty("items").EnumerateArray().ShouldHaveSingleItem();

        shown.EnumerateObject().Select(m => m.Name).ShouldBe(["id", "user", "role", "scopes", "client", "address", "locality", "startedAt"]);
        shown.GetProperty("user").GetUInt32().ShouldBe(1000u);
    }

    [Fact]
    public async Task An_operator_ends_one_session_and_the_audit_says_who_did()
    {
        using DevicelessSession ended = AdmitDeviceless(user: 1000);
        using DeviceSession other = Admit(Some.Claim());

        (await _admin.SendAsync(HttpMethod.Delete, $"/admin/v1/sessions/{ended.Number}")).Status.ShouldBe(204);

        ended.Closing.ShouldNotBeNull().ShouldBe(new Closing(1008, "ended by an operator"));
        other.Closing.ShouldBeNull();
        (await _admin.SendAsync(HttpMethod.Delete, $"/admin/v1/sessions/{ended.Number}")).ShouldBeProblem(404, "session-not-found");
        IReadOnlyList<AuditEntry> entries = [];
        await Eventually.HoldsAsync(
            async () => (entries = (await _admin.Services.GetRequiredService<IAuditStore>()
                .ListAsync(new AuditFilter(AuditKinds.SessionEnded), before: null, 10, default)).Items).Count > 0,
            "the audit has it");
        AuditEntry entry = entries.ShouldHaveSingleItem();
        (entry.Operator, entry.DeviceId, entry.User, entry.Role).ShouldBe(("ops", null, 1000u, "operator"));
    }

    [Theory]
    [InlineData("999999")]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("x")]
    [InlineData("99999999999999999999")]
    public async Task A_session_that_is_not_there_cannot_be_ended(string id)
    {
        using DeviceSession session = Admit(Some.Claim());

        (await _admin.SendAsync(HttpMethod.Delete, $"/admin/v1/sessions/{id}")).ShouldBeProblem(404, "session-not-found");

        session.Closing.ShouldBeNull();
    }

    [Fact]
    public async Task A_viewer_ends_none()
    {
        using DeviceSession session = Admit(Some.Claim());

        (await _admin.SendAsync(HttpMethod.Delete, $"/admin/v1/sessions/{session.Number}", TestAdmin.Viewer)).ShouldBeProblem(403, "viewer-only");

        session.Closing.ShouldBeNull();
    }

    private DevicelessSession AdmitDeviceless(uint user)
    {
        var options = new DeviceAuthOptions
        {
            SharedTokenSha256 = [1],
            Policy = new() { Deviceless = new() { Users = [user], UpTo = ImmutableDictionary<string, ScopeSet>.Empty.Add("operator", ScopeSet.Empty) } },
        };
        var ask = new DevicelessAsk(Audience.Default, "operator", ScopeSet.Empty, new ClientDescription("cli"), ShowsSharedToken: true, ActsForAnother: false);
        DevicelessSession session = _admin.Sessions.TryEnter(user, ask, Some.Loopback, limit: 10)!;
        session.TryAdmit(options, new Fixed(options)).ShouldBeTrue();
        return session;
    }

    private DeviceSession Admit(DeviceClaim claim, DateTimeOffset? until = null)
    {
        DeviceRecord record = Some.Paired(claim, DateTimeOffset.UtcNow);
        record = record with { Grants = record.Grants.SetItem(claim.Key, record.Grants[claim.Key] with { Until = until }) };
        DeviceSession session = _admin.Sessions.TryEnter(claim, Some.Loopback, limit: 10)!;
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

    private sealed class Fixed(DeviceAuthOptions options) : IDeviceAuthSettings
    {
        public DeviceAuthOptions Current => options;
    }
}
