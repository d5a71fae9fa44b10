using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Overview;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Redis;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>What the overview counts is what the audit has, to the last admission, over several gateways and a restart.</summary>
public sealed class OverviewTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("overview-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Two_gateways_on_one_Redis_and_a_third_that_comes_later_agree_with_the_audit()
    {
        await using RedisServer redis = await RedisServer.StartAsync();
        void Store(IServiceCollection services) => services.AddRedisDeviceStore(new RedisStoreOptions { Configuration = redis.EndPoint, Timeout = TimeSpan.FromSeconds(10) });
        await using TestGateway here = await StartAsync(Store);
        await using TestGateway there = await StartAsync(Store);
        int admissions = await ADayAsync(here, plainRequests: 14) + await ADayAsync(there, plainRequests: 27);
        Outcome live = await TestClient.ConnectAsync(there.Port, new TestDevice());
        live.ShouldBeAdmitted();

        await here.StopAsync();

        OverviewReport? report = null;
        await Eventually.HoldsAsync(async () => (report = await ReadAsync(there)).Admissions == admissions + 1, "it adds up what both have counted");
        report!.ThisGatewayAlone.ShouldBeNull();
        report.Gateways.Select(g => g.Name).ShouldBe([Environment.MachineName], "the other one has stopped");
        report.Sessions.ShouldBe(there.Sessions.Count);
        await live.Client.DisposeAsync();

        await there.StopAsync();
        await using TestGateway later = await StartAsync(Store);
        await ShouldAgreeWithTheAuditAsync(later, admissions + 1, requests: 2);
    }

    [Fact]
    public async Task A_gateway_on_a_file_agrees_with_the_audit_after_a_restart()
    {
        void Store(IServiceCollection services) => services.AddSqliteDeviceStore(new SqliteStoreOptions { Path = Path.Combine(_folder.FullName, "registry.db") });
        int admissions;
        await using (TestGateway before = await StartAsync(Store))
        {
            admissions = await ADayAsync(before, plainRequests: 12);
            OverviewReport report = await ReadAsync(before);
            report.Admissions.ShouldBe(admissions, "it counts as things happen");
            report.OpenRequests.ShouldBe(0);
            await before.StopAsync();
        }

        await using TestGateway after = await StartAsync(Store);
        await ShouldAgreeWithTheAuditAsync(after, admissions, requests: 1);
    }

    private static Task<TestGateway> StartAsync(Action<IServiceCollection> store) => TestGateway.StartAsync(
        services: store,
        routes:
        [
            new RouteConfig
            {
                RouteId = "http",
                ClusterId = "agent",
                Match = new RouteMatch { Path = "/http/{**rest}" },
                Metadata = new Dictionary<string, string> { [DeviceAuthDefaults.HandshakeMetadata] = DeviceAuthDefaults.Proof },
            },
            new RouteConfig { RouteId = "agent", ClusterId = "agent", Match = new RouteMatch { Path = "/{**path}" } },
        ]);

    private static async Task<OverviewReport> ReadAsync(TestGateway gateway) =>
        await gateway.Services.GetRequiredService<IGateOverview>().ReadAsync(IGateOverview.MaxHours, default);

    /// <summary>Devices come, ask, are approved, blocked and refused. How many admissions that makes.</summary>
    private static async Task<int> ADayAsync(TestGateway gateway, int plainRequests)
    {
        TestDevice[] devices = [new(), new(), new()];
        int admissions = 0;
        foreach (TestDevice device in (TestDevice[])[.. devices, devices[0], devices[0]])
        {
            Outcome outcome = await TestClient.ConnectAsync(gateway.Port, device);
            outcome.ShouldBeAdmitted();
            admissions++;
            await outcome.Client.DisposeAsync();
        }

        var remote = new TestDevice();
        Outcome refused = await TestClient.ConnectAsync(gateway.RemotePort, remote);
        refused.IsAdmitted.ShouldBeFalse();
        (await TestClient.ConnectAsync(gateway.RemotePort, remote)).IsAdmitted.ShouldBeFalse();
        (await gateway.ApproveAsync(refused.RequestId))!.Outcome.ShouldBe(DecisionOutcome.Done);
        Outcome approved = await TestClient.ConnectAsync(gateway.RemotePort, remote);
        approved.ShouldBeAdmitted();
        admissions++;
        await approved.Client.DisposeAsync();

        (await gateway.Registry.ChangeAsync(devices[1].Id, new DeviceChange.Block("lost"), Some.Operator, gateway.Rules, default)).ShouldNotBeNull();
        (await TestClient.ConnectAsync(gateway.Port, devices[1])).IsAdmitted.ShouldBeFalse();
        (await TestClient.ConnectAsync(gateway.Port, devices[2], new Ask { Nonce = "another" })).IsAdmitted.ShouldBeFalse();

        gateway.Backend.Http = context => Task.CompletedTask;
        using var signer = ProofSigner.WithEd25519();
        using var client = new HttpClient(new ProofHandler(signer) { InnerHandler = new SocketsHttpHandler() }) { Timeout = Eventually.Patience };
        for (int i = 0; i < plainRequests; i++)
        {
            using HttpResponseMessage answer = await client.GetAsync(new Uri($"http://127.0.0.1:{gateway.Port}/http/{i}"));
            answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
            admissions++;
        }

        gateway.Backend.Http = null;
        return admissions;
    }

    private static async Task ShouldAgreeWithTheAuditAsync(TestGateway gateway, int admissions, int requests)
    {
        OverviewReport report = await ReadAsync(gateway);
        List<AuditEntry> entries = [];
        for (long? before = null; ;)
        {
            AuditPage page = await gateway.Audit.ListAsync(new AuditFilter(), before, 200, default);
            entries.AddRange(page.Items);
            if ((before = page.Next) is null)
                break;
        }

        long entered = entries.Count(e => e.Kind == AuditKinds.DeviceAdmitted);
        long leftOut = entries.Where(e => e.Kind == AuditKinds.AdmissionsLeftOut).Sum(e => e.Count);
        (entered + leftOut).ShouldBe(admissions);
        leftOut.ShouldBeGreaterThan(0, "else it would not be shown that these count, too");
        report.Admissions.ShouldBe(entered + leftOut);
        report.Buckets.Sum(b => b.Admissions).ShouldBe(report.Admissions);
        report.RequestsOpened.ShouldBe(requests);
        report.RequestsOpened.ShouldBe(entries.Count(e => e.Kind == AuditKinds.RequestOpened));

        Dictionary<string, long> refusals = entries.Select(RefusalReasons.Of).OfType<string>().CountBy(reason => reason).ToDictionary(r => r.Key, r => (long)r.Value);
        refusals.Keys.Order().ShouldBe(((string[])[RefusalReasons.Blocked, RefusalReasons.Invalid, RefusalReasons.PairingRequired]).Order());
        report.Refusals.ToDictionary().ShouldBe(refusals, ignoreOrder: true);
    }
}
