using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Overview;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.IntegrationTests.Registry;

namespace ProxyGateway.IntegrationTests.Admin;

public sealed class OverviewEndpointTests
{
    [Fact]
    public async Task A_viewer_reads_the_counts_of_every_gateway_and_a_stranger_nothing()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();
        using DeviceSession session = admin.Sessions.TryEnter(Some.Claim(), Some.Loopback, limit: 1)!;
        await admin.AskAsync(Some.Claim());
        AuditLog audit = admin.Services.GetRequiredService<AuditLog>();
        audit.Enter(new AuditEntry { Kind = AuditKinds.DeviceAdmitted });
        audit.Enter(new AuditEntry { Kind = AuditKinds.DeviceRefused, Reason = "blocked" });
        var other = new OverviewRing(TimeProvider.System);
        other.Count(new AuditEntry { Kind = AuditKinds.DeviceAdmitted });
        other.Count(new AuditEntry { Kind = AuditKinds.DeviceRefused, Reason = "blocked" });
        other.Note(sessions: 4, openRequests: 1, TimeSpan.FromMilliseconds(3));
        var there = new OverviewDocuments(TimeProvider.System, (ISharedDocumentStore)admin.Store);
        await there.WriteAsync(other.Now / OverviewRing.PerHour, other.Read(0, long.MaxValue), sessions: 4, isLast: false, default);

        (await admin.GetAsync("/admin/v1/overview", key: null)).ShouldBeProblem(401, "unauthorized");
        foreach (string key in new[] { TestAdmin.Viewer, TestAdmin.Approver, TestAdmin.Limited })
        {
            JsonElement report = (await admin.GetAsync("/admin/v1/overview?hours=1", key)).Json;
            report.EnumerateObject().Select(m => m.Name).ShouldBe(
                ["from", "until", "bucketSeconds", "admissions", "refusals", "requestsOpened", "sessions", "openRequests", "gateways", "buckets"]);
            (report.GetProperty("admissions").GetInt32(), report.GetProperty("refusals").GetProperty("blocked").GetInt32()).ShouldBe((2, 2));
            (report.GetProperty("requestsOpened").GetInt32(), report.GetProperty("openRequests").GetInt32(), report.GetProperty("sessions").GetInt32()).ShouldBe((1, 1, 5));
            (report.GetProperty("until").GetDateTimeOffset() - report.GetProperty("from").GetDateTimeOffset()).ShouldBe(TimeSpan.FromHours(1));
            report.GetProperty("gateways").GetArrayLength().ShouldBe(2);
            report.GetProperty("buckets").EnumerateArray().Sum(b => b.GetProperty("admissions").GetInt32()).ShouldBe(2);
        }
    }

    [Theory]
    [InlineData("0")]
    [InlineData("25")]
    [InlineData("-1")]
    [InlineData("x")]
    [InlineData("")]
    [InlineData("1&hours=2")]
    public async Task Hours_are_one_number(string hours)
    {
        await using TestAdmin admin = await TestAdmin.StartAsync();
        (await admin.GetAsync("/admin/v1/overview?hours=" + hours)).ShouldBeProblem(400, "invalid-request");
    }

    [Fact]
    public async Task Without_the_registry_it_shows_this_gateway_alone()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync(new FailingStore(() => new RegistryUnavailableException("down")));
        admin.Services.GetRequiredService<AuditLog>().Enter(new AuditEntry { Kind = AuditKinds.DeviceAdmitted });

        Answer answer = await admin.GetAsync("/admin/v1/overview", TestAdmin.Viewer);

        answer.Status.ShouldBe(200);
        (answer.Json.GetProperty("thisGatewayAlone").GetBoolean(), answer.Json.GetProperty("admissions").GetInt32()).ShouldBe((true, 1));
        answer.Json.TryGetProperty("openRequests", out _).ShouldBeFalse();
    }
}
