using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.IntegrationTests.Redis;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>One gate before two agents: a device that is let in to one is a stranger to the other.</summary>
public sealed class AudienceTests : IAsyncLifetime
{
    private const string One = "/one"; // of the audience default
    private const string Two = "/two"; // of the audience agent-2
    private static readonly Dictionary<string, string?> RuleForOne = new() { ["DeviceAuth:Pairing:AutoApprove:loopback:Audiences:0"] = "default" };
    private readonly TestDevice _device = new();
    private RedisServer? _redis;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_redis is not null)
            await _redis.DisposeAsync();
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("redis")]
    public async Task A_device_of_one_agent_is_a_new_device_to_the_other(string store)
    {
        await using TestGateway gateway = await StartAsync(store, RuleForOne);
        Outcome one = await ConnectAsync(gateway, One);
        one.ShouldBeAdmitted();

        Outcome refused = await ConnectAsync(gateway, Two);

        refused.ShouldRequirePairing("not-paired");
        refused.Details.TryGetProperty("approvedRoles", out _).ShouldBeFalse("what it holds at another agent is none here");
        PairingRequest request = (await gateway.FindAsync(_device))!.Requests.ShouldHaveSingleItem();
        request.Audience.ShouldBe(Audience.Parse("agent-2"));

        (await gateway.ApproveAsync(refused.RequestId))!.Outcome.ShouldBe(DecisionOutcome.Done);
        Outcome two = await ConnectAsync(gateway, Two);
        two.ShouldBeAdmitted();
        DeviceRecord record = (await gateway.FindAsync(_device))!;
        record.Grants.Keys.Names().ShouldBe(["operator", "agent-2/operator"]);
        gateway.Sessions.List(device: null, after: 0, int.MaxValue).Select(s => s.Audience.ToString()).ShouldBe(["default", "agent-2"]);

        (await gateway.Registry.SetGrantAsync(_device.Id, "operator".In("agent-2"), scopes: null, Some.Operator, gateway.Rules, default)).ShouldNotBeNull();
        (await two.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("grant revoked");
        await one.Client.SendTextAsync("are you there?");
        (await one.Client.ReceiveAsync())!.Text.ShouldBe("are you there?");
        (await ConnectAsync(gateway, One)).ShouldBeAdmitted();
        (await ConnectAsync(gateway, Two)).ShouldRequirePairing("not-paired");

        (await gateway.RemoveAsync(_device)).ShouldBeTrue();
        (await one.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("device removed");
        (await ConnectAsync(gateway, One)).ShouldRequirePairing("not-paired");
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("redis")]
    public async Task A_no_at_one_agent_does_not_bind_the_rules_of_the_other_and_a_block_is_of_both(string store)
    {
        await using TestGateway gateway = await StartAsync(store, RuleForOne);
        (await gateway.RejectAsync((await ConnectAsync(gateway, Two)).RequestId))!.Outcome.ShouldBe(DecisionOutcome.Done);

        (await ConnectAsync(gateway, One)).ShouldBeAdmitted();
        (await ConnectAsync(gateway, Two)).ShouldBeClosed(1008, "pairing rejected");
        (await gateway.Registry.ChangeAsync(_device.Id, new DeviceChange.Block(null), Some.Operator, gateway.Rules, default)).ShouldNotBeNull();

        (await ConnectAsync(gateway, One)).ShouldBeClosed(1008, "device blocked");
        (await ConnectAsync(gateway, Two)).ShouldBeClosed(1008, "device blocked");
    }

    [Fact]
    public async Task A_rule_without_audiences_approves_at_each_agent_what_is_asked_there()
    {
        await using TestGateway gateway = await StartAsync("sqlite");

        (await ConnectAsync(gateway, One, new Ask { Scopes = ["operator.write"] })).ShouldBeAdmitted();
        (await ConnectAsync(gateway, Two, new Ask { Scopes = ["operator.read"] })).ShouldBeAdmitted();

        DeviceRecord record = (await gateway.FindAsync(_device))!;
        (record.ScopesOf("operator"), record.ScopesOf("operator".In("agent-2"))).ShouldBe((ScopeSet.Of("operator.write"), ScopeSet.Of("operator.read")));
        (await ConnectAsync(gateway, Two, new Ask { Role = "node" })).ShouldRequirePairing("role-upgrade");
        await Eventually.HoldsAsync(
            async () => (await gateway.Audit.ListAsync(new AuditFilter(AuditKinds.DeviceAutoApproved) { Audience = Audience.Parse("agent-2") }, null, 10, default)).Items
                .Any(e => e.Role == "operator" && e.DeviceId == _device.Id),
            "the audit says at which agent");
        gateway.Log.Of(1001).ShouldContain(line => line.Contains("as agent-2/operator", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_client_that_waits_at_one_agent_is_not_approved_by_what_it_holds_at_the_other()
    {
        await using TestGateway gateway = await StartAsync("sqlite", RuleForOne);
        (await ConnectAsync(gateway, One)).ShouldBeAdmitted();
        FrameConnection waiting = await AskAsync(gateway, Two, PairingWaitTests.Asking());
        string request = (await waiting.ReceiveJsonAsync()).GetProperty("error").GetProperty("details").GetProperty("requestId").GetString()!;

        await gateway.RejectAsync(request);

        await PairingWaitTests.ShouldHearAsync(waiting, request, "rejected");
    }

    private async Task<TestGateway> StartAsync(string store, Dictionary<string, string?>? settings = null)
    {
        if (store == "redis")
            _redis = await RedisServer.StartAsync();
        return await TestGateway.StartAsync(
            settings,
            routes: [Route("one", One, metadata: null), Route("two", Two, new Dictionary<string, string> { ["DeviceAuth.Audience"] = "agent-2" })],
            services: _redis is null ? null : services => services.AddRedisDeviceStore(new RedisStoreOptions { Configuration = _redis.EndPoint, Timeout = TimeSpan.FromSeconds(10) }));
    }

    private static RouteConfig Route(string id, string path, Dictionary<string, string>? metadata) =>
        new() { RouteId = id, ClusterId = "agent", Match = new RouteMatch { Path = path }, Metadata = metadata };

    private async Task<Outcome> ConnectAsync(TestGateway gateway, string path, Ask? ask = null) =>
        await TestClient.OutcomeAsync(await AskAsync(gateway, path, ask ?? new Ask()));

    private async Task<FrameConnection> AskAsync(TestGateway gateway, string path, Ask ask)
    {
        FrameConnection client = await TestClient.OpenAsync(gateway.Port, path);
        string nonce = (await client.ReceiveJsonAsync()).GetProperty("payload").GetProperty("nonce").GetString()!;
        await client.SendTextAsync((ask with { Nonce = nonce }).SignedBy(_device));
        return client;
    }
}
