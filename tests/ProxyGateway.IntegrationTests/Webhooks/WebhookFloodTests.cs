using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.IntegrationTests.Webhooks;

/// <summary>Who gets in while pages and strangers are refused without end is told of all the same.</summary>
public sealed class WebhookFloodTests
{
    private const int Devices = 12;

    [Fact]
    public async Task Every_device_that_pairs_itself_during_a_flood_of_refusals_is_told_of()
    {
        await using WebhookReceiver receiver = await WebhookReceiver.StartAsync();
        var flooded = new TaskCompletionSource();
        receiver.Answer = async context =>
        {
            await flooded.Task.WaitAsync(context.RequestAborted);
            context.Response.StatusCode = 204;
        };
        DirectoryInfo folder = Directory.CreateTempSubdirectory("webhooks-");
        await using TestGateway gateway = await TestGateway.StartAsync(services: s => s
            .AddSqliteDeviceStore(new SqliteStoreOptions { Path = Path.Combine(folder.FullName, "registry.db") })
            .AddWebhooks([new WebhookOptions { Name = "chat", Url = receiver.Url, Secret = [.. new byte[32]] }], folder.FullName));
        using var dropped = new CountedDrops("proxygateway.webhook.dropped", gateway.Meters);

        await Parallel.ForEachAsync(Enumerable.Range(0, Webhook.Capacity + 200), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (_, _) =>
        {
            (int status, string _, Stream stream) = await TestClient.RequestAsync(gateway.Port, headers: ["Origin: http://evil.example"]);
            await stream.DisposeAsync();
            status.ShouldBe(403);
        });
        for (int i = 0; i < 3 * AuditPace.PerMinute; i++)
            (await TestClient.ConnectAsync(gateway.RemotePort, new TestDevice(), new Ask { Tamper = f => f["params"]!["role"] = "node" })).ShouldBeClosed(1008, "device signature invalid");
        var devices = new TestDevice[Devices];
        for (int i = 0; i < Devices; i++)
        {
            Outcome admitted = await TestClient.ConnectAsync(gateway.Port, devices[i] = new TestDevice(), new Ask { Scopes = ["operator.admin"] });
            admitted.ShouldBeAdmitted();
            await admitted.Client.DisposeAsync();
        }

        flooded.SetResult();
        IEnumerable<Told> Paired() => receiver.Told.Where(t => t.Type == AuditKinds.DeviceAutoApproved);
        await Eventually.HoldsAsync(() => Task.FromResult(Paired().Count() == Devices), "every one is told of");

        Paired().Select(t => t.Data.GetProperty("deviceId").GetString()).ShouldBe(devices.Select(d => d.Id.ToString()));
        await Eventually.HoldsAsync(() => Task.FromResult(receiver.Told.Count(t => t.Type == AuditKinds.DeviceRefused) == AuditPace.PerMinute), "refusals are told of, too");
        receiver.Told.Count(t => t.Type == AuditKinds.UpgradeRefused).ShouldBe(1, "one a minute of pages");
        dropped.Count.ShouldBe(0);
        folder.Delete(recursive: true);
    }
}
