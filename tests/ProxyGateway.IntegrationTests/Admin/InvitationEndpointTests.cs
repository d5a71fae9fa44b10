using System.Text.Json;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>Operators invite devices, see whom they have invited, and take it back.</summary>
public sealed class InvitationEndpointTests : IAsyncLifetime
{
    private const string Path = "/admin/v1/invitations";
    private const string OfAgent2 = "agent-2-key-agent-2-key-agent-2-key-agent-2";
    private TestAdmin _admin = null!;

    public async Task InitializeAsync() => _admin = await TestAdmin.StartAsync(keys: AdminKeyRing.Load(
        new AdminOptions
        {
            Keys =
            [
                TestAdmin.Key("ops", TestAdmin.Approver, AdminRole.Approver),
                TestAdmin.Key("look", TestAdmin.Viewer, AdminRole.Viewer),
                TestAdmin.Key("two", OfAgent2, AdminRole.Approver) with { Audiences = [Audience.Parse("agent-2")] },
            ],
        },
        System.IO.Path.GetTempPath()));

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    [Fact]
    public async Task The_secret_is_shown_once()
    {
        Answer made = await _admin.PostAsync(Path, json: """{"audience":"tools","role":"client","scopes":["mcp.call"],"grantSeconds":3600,"uses":2,"validSeconds":60}""");

        made.Status.ShouldBe(200);
        made.Headers["Cache-Control"].ShouldContain("no-store");
        string secret = made.Json.GetProperty("secret").GetString()!;
        secret.Length.ShouldBe(22);
        string list = (await _admin.GetAsync(Path, TestAdmin.Viewer)).Text;
        list.ShouldNotContain(secret);
        JsonElement shown = JsonDocument.Parse(list).RootElement.GetProperty("items")[0];
        (shown.GetProperty("audience").GetString(), shown.GetProperty("role").GetString(), shown.GetProperty("scopes").GetRawText()).ShouldBe(("tools", "client", "[\"mcp.call\"]"));
        (shown.GetProperty("grantSeconds").GetInt32(), shown.GetProperty("uses").GetInt32(), shown.GetProperty("used").GetInt32()).ShouldBe((3600, 2, 0));
        (shown.GetProperty("createdBy").GetString(), shown.GetProperty("expiresAt").GetDateTimeOffset() - shown.GetProperty("createdAt").GetDateTimeOffset())
            .ShouldBe(("ops", TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public async Task It_is_withdrawn_and_both_are_in_the_audit()
    {
        string id = (await _admin.PostAsync(Path, json: """{"role":"client"}""")).Json.GetProperty("id").GetString()!;

        (await _admin.DeleteAsync($"{Path}/{id}")).Status.ShouldBe(204);

        (await _admin.DeleteAsync($"{Path}/{id}")).ShouldBeProblem(404, "invitation-not-found");
        (await _admin.GetAsync(Path)).Json.GetProperty("items").GetArrayLength().ShouldBe(0);
        await Eventually.HoldsAsync(
            async () => (await KindsAsync()) is ["invitation-withdrawn", "invitation-made"], "the audit has both");

        async Task<string?[]> KindsAsync() =>
            [.. (await _admin.GetAsync("/admin/v1/audit?operator=ops")).Json.GetProperty("items").EnumerateArray().Select(e => e.GetProperty("kind").GetString())];
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"role":""}""")]
    [InlineData("""{"role":".."}""")]
    [InlineData("""{"role":"client","uses":0}""")]
    [InlineData("""{"role":"client","uses":1001}""")]
    [InlineData("""{"role":"client","validSeconds":59}""")]
    [InlineData("""{"role":"client","validSeconds":2592001}""")]
    [InlineData("""{"role":"client","grantSeconds":0}""")]
    [InlineData("""{"role":"client","audience":"Tools"}""")]
    [InlineData("""{"role":"client","scopes":null}""")]
    [InlineData("""{"role":"client","more":1}""")]
    public async Task What_is_not_understood_is_refused(string json) => (await _admin.PostAsync(Path, json: json)).ShouldBeProblem(400, "invalid-request");

    [Fact]
    public async Task Who_may_not_grant_may_not_invite()
    {
        (await _admin.PostAsync(Path, TestAdmin.Viewer, """{"role":"client"}""")).ShouldBeProblem(403, "viewer-only");
        (await _admin.PostAsync(Path, OfAgent2, """{"role":"client"}""")).ShouldBeProblem(403, "above-ceiling");
        (await _admin.PostAsync(Path, OfAgent2, """{"role":"client","audience":"agent-2"}""")).Status.ShouldBe(200);
    }
}
