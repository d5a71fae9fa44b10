using System.Runtime.Versioning;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Gate;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Identity;

/// <summary>The gate's transforms: what a route's configuration makes the gate tell its backend.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class BackendHeaderTests : IAsyncLifetime
{
    private static readonly Dictionary<string, string> User = new() { ["DeviceHeader"] = "X-Forwarded-User", ["Value"] = "id" };

    private readonly string _folder = Directory.CreateTempSubdirectory("identity-").FullName;
    private TestGateway? _gateway;

    private string Secret => Path.Combine(_folder, "agent");

    private Dictionary<string, string> FromFile => new() { ["RequestHeaderFromFile"] = "Authorization", ["File"] = Secret, ["Prefix"] = "Bearer " };

    private static string Device => AnyDevice.Claim.Device.ToString();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_gateway is not null)
            await _gateway.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_header_of_ones_own_choice_has_the_device(bool isUpgrade)
    {
        TestGateway gateway = await StartAsync([
            User,
            new() { ["DeviceHeader"] = "X-Role", ["Value"] = "role" },
            new() { ["DeviceHeader"] = "X-Scopes", ["Value"] = "scopes" },
            new() { ["DeviceHeader"] = "X-Label", ["Value"] = "label" }]);

        IHeaderDictionary heard = await IdentitySetting.SendAsync(gateway, "/own", isUpgrade, "X-Label: forged");

        (heard["X-Forwarded-User"].ToString(), heard["X-Role"].ToString(), heard["X-Scopes"].ToString()).ShouldBe((Device, "client", "agent.read agent.use"));
        heard.ContainsKey("X-Label").ShouldBeFalse("nobody has given it one");
    }

    [Theory]
    [InlineData("Ada's phone", "Ada's phone")]
    [InlineData("Zoë 100%", "Zo%C3%AB 100%25")]
    [InlineData("電話", "%E9%9B%BB%E8%A9%B1")]
    public async Task A_label_in_any_language_is_carried_in_ASCII(string label, string expected)
    {
        TestGateway gateway = await StartAsync([new() { ["DeviceHeader"] = "X-Label", ["Value"] = "label" }]);
        await IdentitySetting.SendAsync(gateway, "/own", isUpgrade: false); // pairs it
        (await gateway.Registry.ChangeAsync(AnyDevice.Claim.Device, new DeviceChange.SetLabel(label), Some.Operator, gateway.Rules, default)).ShouldNotBeNull();

        (await IdentitySetting.SendAsync(gateway, "/own", isUpgrade: false))["X-Label"].ToString().ShouldBe(expected);
    }

    // Nor on a route that says nothing of it: its backend may be the same.
    [Theory]
    [InlineData("/open", false)]
    [InlineData("/open", true)]
    [InlineData("/allow", false)]
    [InlineData("/connect", true)]
    [InlineData("/own", false)]
    [InlineData("/own", true)]
    public async Task No_client_can_send_it_on_any_route(string path, bool isUpgrade)
    {
        string[] spellings = ["X-Forwarded-User", "x-forwarded-user", "X_FORWARDED_USER", "X-Forwarded_User"];
        TestGateway gateway = await StartAsync([User], requestHeaders: spellings);

        IHeaderDictionary heard = await IdentitySetting.SendAsync(gateway, path, isUpgrade, [.. spellings.Select(name => $"{name}: forged")]);

        heard.Where(h => h.Value.ToString().Contains("forged", StringComparison.Ordinal)).Select(h => h.Key).ShouldBeEmpty();
        heard["X-Forwarded-User"].ToString().ShouldBe(path == "/own" ? Device : "");
    }

    [Fact]
    public async Task A_routes_other_transforms_cannot_change_it()
    {
        TestGateway gateway = await StartAsync([
            User,
            new() { ["RequestHeader"] = "X-Forwarded-User", ["Set"] = "forged" },
            new() { ["RequestHeader"] = "x_forwarded_user", ["Set"] = "forged" },
            new() { ["RequestHeadersCopy"] = "false" }]);

        IHeaderDictionary heard = await IdentitySetting.SendAsync(gateway, "/own", isUpgrade: false);

        heard["X-Forwarded-User"].ToString().ShouldBe(Device);
        heard.ContainsKey("x_forwarded_user").ShouldBeFalse();
    }

    [Fact]
    public async Task Once_no_route_has_it_clients_may_send_it_again()
    {
        TestGateway gateway = await StartAsync([User]);
        InMemoryConfigProvider routes = gateway.Services.GetRequiredService<InMemoryConfigProvider>();
        (await IdentitySetting.SendAsync(gateway, "/open", isUpgrade: false, "X-Forwarded-User: a"))["X-Forwarded-User"].ToString().ShouldBe("");
        IReadOnlyList<ClusterConfig> clusters = routes.GetConfig().Clusters;

        routes.Update(IdentitySetting.Routes([]), clusters);

        await Eventually.HoldsAsync(
            async () => (await IdentitySetting.SendAsync(gateway, "/open", isUpgrade: false, "X-Forwarded-User: b"))["X-Forwarded-User"].ToString() == "b", "it is the client's again");
        routes.Update(IdentitySetting.Routes([User]), clusters);
        await Eventually.HoldsAsync(
            async () => (await IdentitySetting.SendAsync(gateway, "/open", isUpgrade: false, "X-Forwarded-User: c"))["X-Forwarded-User"].ToString().Length == 0, "it is the gate's again");
    }

    [Theory]
    [InlineData("/own", false)]
    [InlineData("/own", true)]
    [InlineData("/connect", true)]
    public async Task The_backends_secret_takes_the_place_of_the_clients(string path, bool isUpgrade)
    {
        Write("the-secret\n");
        TestGateway gateway = await StartAsync([FromFile], others: [FromFile], requestHeaders: ["Authorization"]);

        IHeaderDictionary heard = await IdentitySetting.SendAsync(gateway, path, isUpgrade, "Authorization: Bearer forged");

        heard.Authorization.ToString().ShouldBe("Bearer the-secret");
    }

    [Fact]
    public async Task A_new_secret_counts_without_a_restart()
    {
        Write("old");
        TestGateway gateway = await StartAsync([FromFile]);
        (await IdentitySetting.SendAsync(gateway, "/own", isUpgrade: false)).Authorization.ToString().ShouldBe("Bearer old");

        Write("new");

        await Eventually.HoldsAsync(
            async () => (await IdentitySetting.SendAsync(gateway, "/own", isUpgrade: false)).Authorization == "Bearer new", "the file is read again");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("\n")]
    [InlineData(" \n")]
    [InlineData("two\nlines")]
    [InlineData("two\r\nlines\r\n")]
    [InlineData("X\rY")]
    [InlineData("secrét")]
    public async Task Without_a_usable_secret_nothing_is_forwarded(string? secret)
    {
        Write("old");
        TestGateway gateway = await StartAsync([FromFile], others: [FromFile], requestHeaders: ["Authorization"]);
        if (secret is null)
            File.Delete(Secret);
        else
            Write(secret);

        foreach ((string path, bool isUpgrade) in new[] { ("/own", false), ("/own", true), ("/connect", true) })
        {
            await Eventually.HoldsAsync(
                async () =>
                {
                    (IHeaderDictionary? heard, string answer) = await IdentitySetting.TrySendAsync(gateway, path, isUpgrade, "Authorization: Bearer forged");
                    heard?.Authorization.ToString().ShouldBe("Bearer old");
                    return heard is null && answer.StartsWith("HTTP/1.1 503", StringComparison.Ordinal);
                },
                "it is closed");
        }

        gateway.Log.Of(1230).First().ShouldContain(Secret);
        gateway.Log.Of(1230).First().ShouldContain("header Authorization");
        gateway.Log.Lines.ShouldNotContain(l => l.Text.Contains("secrét", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_secret_that_others_can_read_by_now_is_not_used()
    {
        Write("old");
        TestGateway gateway = await StartAsync([FromFile]);
        File.SetUnixFileMode(Secret, UnixFileMode.UserRead | UnixFileMode.OtherRead);

        await Eventually.HoldsAsync(async () => (await IdentitySetting.TrySendAsync(gateway, "/own", isUpgrade: false)).Heard is null, "it is closed");

        gateway.Log.Of(1230).First().ShouldContain("chmod 600");
    }

    [Fact]
    public async Task A_gateway_does_not_start_with_a_transform_that_it_cannot_apply()
    {
        Exception failed = await Should.ThrowAsync<Exception>(() => StartAsync([FromFile]));

        failed.ToString().ShouldContain($"RequestHeaderFromFile \"Authorization\", File: {Secret} does not exist.");
    }

    private void Write(string secret)
    {
        string draft = Secret + ".new";
        File.WriteAllText(draft, secret);
        File.SetUnixFileMode(draft, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(draft, Secret, overwrite: true);
    }

    private async Task<TestGateway> StartAsync(Dictionary<string, string>[] own, Dictionary<string, string>[]? others = null, string[]? requestHeaders = null) =>
        _gateway = await IdentitySetting.StartAsync(own, others, requestHeaders);
}
