using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Open connections are relayed on the sockets' event loops, so nothing that takes long may happen there.</summary>
[Collection(nameof(AloneCollection))]
public sealed class EventLoopTests
{
    [Fact]
    public async Task A_registry_that_does_not_answer_holds_up_no_open_connection()
    {
        string folder = Directory.CreateTempSubdirectory("gate-").FullName;
        using var store = new BlockingStore(
            SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path.Combine(folder, "registry.db") }, TimeProvider.System));
        await using TestGateway gateway = await TestGateway.StartAsync(SharedGateway.Generous, services: s => s.AddSingleton<IDeviceStore>(store));
        var open = new List<FrameConnection>();
        while (open.Count < 4 * Environment.ProcessorCount)
        {
            Outcome outcome = await TestClient.ConnectAsync(gateway.Port, new TestDevice());
            outcome.ShouldBeAdmitted();
            open.Add(outcome.Client);
        }

        store.Block();
        try
        {
            // As many as there are loops, so that none would be left if they stood still there.
            Task<FrameConnection>[] asking =
                [.. Enumerable.Range(0, Environment.ProcessorCount).Select(_ => TestClient.AskAsync(gateway.Port, new TestDevice()))];
            await Task.WhenAll(asking);
            await Eventually.HoldsAsync(() => Task.FromResult(store.Blocked == asking.Length), "every handshake waits for the registry");

            foreach (FrameConnection connection in open)
            {
                await connection.SendTextAsync("still here?");
                (await connection.ReceiveAsync())!.Text.ShouldBe("still here?");
            }

            store.Blocked.ShouldBe(asking.Length);
        }
        finally
        {
            store.Release();
        }
    }
}
