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
    public async Task Every_pairing_by_a_rule_during_a_flood_of_refusals_is_sent()
    {
        await using WebhookReceiver receiver = await WebhookReceiver.StartAsync();
        var flooded = new TaskCompletionSource();
        DirectoryInfo folder = Directory.CreateTempSubdirectory("webhooks-");
        await using TestGateway gateway = await StartAsync(receiver, flooded.Task, folder);
        using var dropped = new CountedDrops("proxygateway.webhook.dropped", gateway.Meters);

        await Parallel.ForEachAsync(Enumerable.Range(0, Webhook.Capacity + 200), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (_, _) =>
        {
            (int status, string _, Stream stream) = await TestClient.RequestAsync(gateway.Port, headers: ["Origin: http://evil.example"]);
            await stream.DisposeAsync();
            status.ShouldBe(403);
        });
        for (int i = 0; i < 3 * AuditPace.PerMinute; i++)
            (await TestClient.ConnectAsync(gateway.RemotePort, new TestDevice(), new Ask { Tamper = f => f["params"]!["role"] = "node" })).ShouldBeClosed(1008, "device signature invalid");
        TestDevice[] devices = [.. Enumerable.Range(0, Devices).Select(_ => new TestDevice())];
        foreach (TestDevice device in devices)
            await ComeAndGoAsync(gateway, device, "operator.admin");

        flooded.SetResult();
        await ShouldBeToldAsync(receiver, devices);

        await Eventually.HoldsAsync(() => Task.FromResult(receiver.Told.Count(t => t.Type == AuditKinds.DeviceRefused) == AuditPace.PerMinute), "refusals are told of, too");
        receiver.Told.Count(t => t.Type == AuditKinds.UpgradeRefused).ShouldBe(1, "one a minute of pages");
        dropped.Count.ShouldBe(0);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Every_pairing_by_a_rule_and_every_request_is_sent_while_a_paired_device_reconnects()
    {
        await using WebhookReceiver receiver = await WebhookReceiver.StartAsync();
        var flooded = new TaskCompletionSource();
        DirectoryInfo folder = Directory.CreateTempSubdirectory("webhooks-");
        await using TestGateway gateway = await StartAsync(receiver, flooded.Task, folder, SharedGateway.Generous);
        using var dropped = new CountedDrops("proxygateway.webhook.dropped", gateway.Meters);
        var restless = new TestDevice();
        for (int i = 0; i < Webhook.Capacity && dropped.Count == 0; i++)
            await ComeAndGoAsync(gateway, restless, "operator.read");
        dropped.Count.ShouldBeGreaterThan(0, "the queue of comings and goings is full");

        TestDevice[] devices = [.. Enumerable.Range(0, Devices).Select(_ => new TestDevice())];
        foreach (TestDevice device in devices)
            await ComeAndGoAsync(gateway, device, "operator.admin");
        (await TestClient.ConnectAsync(gateway.RemotePort, new TestDevice(), new Ask())).ShouldBeClosed(1008, "pairing required");

        flooded.SetResult();
        await ShouldBeToldAsync(receiver, [restless, .. devices]);
        await Eventually.HoldsAsync(() => Task.FromResult(receiver.Told.Any(t => t.Type == AuditKinds.RequestOpened)), "the request is told of");
        Told[] told = [.. receiver.Told];
        int request = Array.FindIndex(told, t => t.Type == AuditKinds.RequestOpened);
        told.Take(request).Count(t => t.Type == AuditKinds.SessionOpened).ShouldBeLessThan(10, "it does not wait for comings and goings");
        folder.Delete(recursive: true);
    }

    private static Task<TestGateway> StartAsync(WebhookReceiver receiver, Task flooded, DirectoryInfo folder, Dictionary<string, string?>? settings = null)
    {
        receiver.Answer = async context =>
        {
            await flooded.WaitAsync(context.RequestAborted);
            context.Response.StatusCode = 204;
        };
        return TestGateway.StartAsync(settings, services: s => s
            .AddSqliteDeviceStore(new SqliteStoreOptions { Path = Path.Combine(folder.FullName, "registry.db") })
            .AddWebhooks([new WebhookOptions { Name = "chat", Url = receiver.Url, Secret = [.. new byte[32]] }], folder.FullName));
    }

    private static async Task ComeAndGoAsync(TestGateway gateway, TestDevice device, string scope)
    {
        Outcome admitted = await TestClient.ConnectAsync(gateway.Port, device, new Ask { Scopes = [scope] });
        admitted.ShouldBeAdmitted();
        await admitted.Client.DisposeAsync();
    }

    private static async Task ShouldBeToldAsync(WebhookReceiver receiver, TestDevice[] devices)
    {
        IEnumerable<Told> Paired() => receiver.Told.Where(t => t.Type == AuditKinds.DeviceAutoApproved);
        await Eventually.HoldsAsync(() => Task.FromResult(Paired().Count() == devices.Length), "every one is told of");
        Paired().Select(t => t.Data.GetProperty("deviceId").GetString()).ShouldBe(devices.Select(d => d.Id.ToString()));
    }
}
