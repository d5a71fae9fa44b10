using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.IntegrationTests.Redis;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Open connections are relayed on the sockets' event loops, so nothing that takes long may happen there.</summary>
[Collection(nameof(AloneCollection))]
public sealed class EventLoopTests
{
    [Fact]
    public async Task A_registry_that_does_not_answer_delays_no_open_connection()
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

    [Fact]
    public async Task An_answer_of_Redis_that_waits_for_a_loop_is_not_too_late()
    {
        await using RedisServer redis = await RedisServer.StartAsync();
        var timeout = TimeSpan.FromSeconds(1);
        using var mayGoOn = new ManualResetEventSlim();
        int standing = 0;
        await using TestGateway gateway = await TestGateway.StartAsync(
            SharedGateway.Generous,
            services: s => s.AddRedisDeviceStore(new RedisStoreOptions { Configuration = redis.EndPoint, KeyPrefix = "pg:", Timeout = timeout }),
            before: app => app.Use(next => context =>
            {
                if (context.Request.Path != "/stand-still")
                    return next(context);
                Interlocked.Increment(ref standing);
                mayGoOn.Wait();
                return Task.CompletedTask;
            }));
        (await TestClient.ConnectAsync(gateway.Port, new TestDevice())).ShouldBeAdmitted(); // what is once only is over
        await Task.Yield(); // this test may be on a loop itself, and blocks
        Socket[] clients = [.. Enumerable.Range(0, 4 * Environment.ProcessorCount).Select(_ => new Socket(SocketType.Stream, ProtocolType.Tcp))];
        try
        {
            foreach (Socket client in clients)
            {
                client.Connect(IPAddress.Loopback, gateway.Port);
                client.Send("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"u8);
                client.Receive(new byte[4096]).ShouldBePositive(); // the first request of a connection may be handled elsewhere
            }

            foreach (Socket client in clients)
                client.Send("GET /stand-still HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"u8);
            await Eventually.HoldsAsync(() => Task.FromResult(Volatile.Read(ref standing) == Environment.ProcessorCount), "every loop stands still");

            long started = Stopwatch.GetTimestamp();
            Task<DeviceRecord?> finding = gateway.FindAsync(new TestDevice());
            await Eventually.HoldsAsync(() => Task.FromResult(finding.IsCompleted || Stopwatch.GetElapsedTime(started) > 1.1 * timeout), "Redis' time is up");
            finding.IsCompleted.ShouldBeFalse("its answer is here, and nobody has read it");
            Volatile.Read(ref standing).ShouldBe(Environment.ProcessorCount);

            mayGoOn.Set();
            (await finding).ShouldBeNull();
        }
        finally
        {
            mayGoOn.Set();
            foreach (Socket client in clients)
                client.Dispose();
        }
    }
}
