using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A gateway where only who has the shared token may ask.</summary>
public sealed class SharedTokenTests
{
    private readonly TestDevice _device = new();

    [Theory]
    [InlineData("wrong-7f3a9c")]
    [InlineData("right ")]
    [InlineData("")]
    [InlineData(null)]
    public async Task A_stranger_without_the_token_makes_no_request(string? token)
    {
        await using TestGateway gateway = await StartAsync();
        foreach (int port in (int[])[gateway.Port, gateway.RemotePort])
        {
            await using Encounter stranger = await Encounter.AskAsync(gateway, _device, new Ask { Token = token }, port);

            JsonElement? answer = await stranger.ShouldBeClosedAsync(1008, "unauthorized");
            answer!.Value.GetProperty("error").GetProperty("details").GetProperty("code").GetString().ShouldBe("AUTH_TOKEN_MISMATCH");
            (await gateway.FindAsync(_device)).ShouldBeNull("nothing is left behind");
            (await gateway.Registry.ListOpenRequestsAsync(cursor: null, 10, default)).Items.ShouldBeEmpty();
        }

        gateway.Log.Lines.ShouldNotContain(l => l.Text.Contains("wrong-7f3a9c", StringComparison.Ordinal));
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 0 && gateway.Sessions.Count == 0), "nothing is held");
    }

    [Theory]
    [InlineData("deviceToken")]
    [InlineData("bootstrapToken")]
    [InlineData("password")]
    public async Task A_wrong_token_is_refused(string member)
    {
        await using TestGateway gateway = await StartAsync();
        var ask = new Ask { Token = member == "password" ? null : "right", Tamper = f => f["params"]!["auth"] = new JsonObject { [member] = "right" } };

        await using Encounter stranger = await Encounter.AskAsync(gateway, _device, ask);

        await stranger.ShouldBeClosedAsync(1008, "unauthorized");
    }

    [Fact]
    public async Task With_the_token_rules_and_operators_decide()
    {
        await using TestGateway gateway = await StartAsync();

        await using (Encounter local = await Encounter.AskAsync(gateway, _device, new Ask { Token = "right" }))
        {
            await local.ShouldBeAdmittedAsync();
        }

        await using Encounter remote = await Encounter.AskAsync(gateway, new TestDevice(), new Ask { Token = "right" }, gateway.RemotePort);
        await remote.ShouldRequirePairingAsync("not-paired");
    }

    [Fact]
    public async Task A_covered_claim_needs_no_token_and_a_wider_one_does()
    {
        await using TestGateway gateway = await StartAsync();
        await using (Encounter first = await Encounter.AskAsync(gateway, _device, new Ask { Token = "right" }))
        {
            await first.ShouldBeAdmittedAsync();
        }

        await using (Encounter covered = await Encounter.AskAsync(gateway, _device, new Ask { Token = null }, gateway.RemotePort))
        {
            await covered.ShouldBeAdmittedAsync();
        }

        await using Encounter wider = await Encounter.AskAsync(gateway, _device, new Ask { Token = null, Scopes = ["operator.write"] });
        await wider.ShouldBeClosedAsync(1008, "unauthorized");
        (await gateway.FindAsync(_device))!.ScopesOf("operator").ShouldBe(["operator.read"]);
    }

    [Fact]
    public async Task A_token_that_the_signature_does_not_cover_is_refused()
    {
        await using TestGateway gateway = await StartAsync();
        var ask = new Ask { Token = null, Tamper = f => f["params"]!["auth"] = new JsonObject { ["token"] = "right" } };

        await using Encounter stranger = await Encounter.AskAsync(gateway, _device, ask);

        await stranger.ShouldBeClosedAsync(1008, "device signature invalid");
    }

    [Fact]
    public async Task Wrong_tokens_are_delayed_ever_longer()
    {
        await using TestGateway gateway = await StartAsync(new() { ["DeviceAuth:Limits:FailuresPerAddress"] = "1" });
        await (await Encounter.AskAsync(gateway, _device, new Ask { Token = "guess 1" })).ShouldBeClosedAsync(1008, "unauthorized");

        long start = TimeProvider.System.GetTimestamp();
        await (await Encounter.AskAsync(gateway, _device, new Ask { Token = "guess 2" })).ShouldBeClosedAsync(1008, "unauthorized");

        TimeProvider.System.GetElapsedTime(start).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromMilliseconds(240));
    }

    private static Task<TestGateway> StartAsync(Dictionary<string, string?>? more = null) => TestGateway.StartAsync(new(more ?? [])
    {
        ["DeviceAuth:SharedToken:Sha256"] = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes("right"))),
    });
}
