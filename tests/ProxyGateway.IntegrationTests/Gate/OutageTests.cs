using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.IntegrationTests.Registry;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>While the registry cannot be asked, nobody is admitted, nobody is told to wait for an operator, and it is over when it is over.</summary>
public sealed class OutageTests
{
    private static readonly TimeSpan RegistryTimeout = TimeSpan.FromSeconds(1);
    private readonly TestDevice _device = new();

    [Fact]
    public Task While_Redis_is_killed_and_restarted_nobody_is_admitted_and_sessions_stay() => OutageAsync(redis => redis.KillAsync(), redis => redis.RestartAsync());

    [Fact]
    public Task While_Redis_hangs_nobody_is_admitted_and_sessions_stay() => OutageAsync(redis => redis.StopAsync(), redis => redis.ContinueAsync());

    [Fact]
    public async Task A_fault_of_the_gate_itself_admits_nobody()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(services: s => s.AddSingleton<IDeviceStore>(new FailingStore(() => new InvalidOperationException("a bug"))));

        Outcome outcome = await TestClient.ConnectAsync(gateway.Port, _device);

        outcome.ShouldBeClosed(1011, "internal error");
        gateway.Log.Of(1106).ShouldHaveSingleItem().ShouldContain(nameof(InvalidOperationException));
        FrameConnection backend = await gateway.Backend.AcceptAsync();
        await backend.Completion;
        (await backend.ReceivedTextAsync()).ShouldNotContain("connect");
        gateway.Sessions.Count.ShouldBe(0);
    }

    [Fact]
    public async Task Only_the_device_with_a_damaged_document_is_refused_until_it_is_removed()
    {
        string folder = Directory.CreateTempSubdirectory("gate-").FullName;
        string path = Path.Combine(folder, "registry.db");
        await using (TestGateway gateway = await TestGateway.StartAsync(services: s => s.AddSqliteDeviceStore(new SqliteStoreOptions { Path = path })))
        {
            (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldBeAdmitted();
            await using (var connection = new SqliteConnection($"Data Source={path};Pooling=False"))
            {
                connection.Open();
                using SqliteCommand command = connection.CreateCommand();
                command.CommandText = "UPDATE devices SET document = x'7b'";
                command.ExecuteNonQuery().ShouldBe(1);
            }

            (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldBeClosed(1013, "registry unavailable");
            gateway.Log.Of(1005).ShouldHaveSingleItem().ShouldContain($"The document of device {_device.Id} is damaged");
            (await TestClient.ConnectAsync(gateway.Port, new TestDevice())).ShouldBeAdmitted();

            (await gateway.RemoveAsync(_device)).ShouldBeTrue();
            (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldRequirePairing("not-paired");
        }

        Directory.Delete(folder, recursive: true);
    }

    private async Task OutageAsync(Func<RedisServer, Task> begin, Func<RedisServer, Task> end)
    {
        await using RedisServer redis = await RedisServer.StartAsync();
        await using TestGateway gateway = await TestGateway.StartAsync(services: s =>
            s.AddRedisDeviceStore(new RedisStoreOptions { Configuration = redis.EndPoint, KeyPrefix = "pg:", Timeout = RegistryTimeout }));
        Outcome paired = await TestClient.ConnectAsync(gateway.Port, _device);
        paired.ShouldBeAdmitted();
        await gateway.Backend.AcceptAsync();
        Outcome asked = await TestClient.ConnectAsync(gateway.Port, _device, new Ask { Role = "node", Scopes = [] });
        asked.ShouldRequirePairing("role-upgrade");
        (await gateway.ApproveAsync(asked.RequestId)).ShouldNotBeNull();
        await gateway.Backend.AcceptAsync();

        await begin(redis);

        foreach (TestDevice device in new[] { _device, new TestDevice() })
        {
            long started = Stopwatch.GetTimestamp();
            Outcome refused = await TestClient.ConnectAsync(gateway.Port, device);
            refused.ShouldBeClosed(1013, "registry unavailable");
            refused.Error.GetProperty("code").GetString().ShouldBe("UNAVAILABLE");
            refused.Error.GetProperty("retryable").GetBoolean().ShouldBeTrue();
            Stopwatch.GetElapsedTime(started).ShouldBeLessThan(2 * RegistryTimeout + TimeSpan.FromSeconds(1));
            FrameConnection backend = await gateway.Backend.AcceptAsync();
            await backend.Completion;
            (await backend.ReceivedTextAsync()).ShouldNotContain("connect");
        }

        // Who is in stays in: what they may do was decided.
        await paired.Client.SendAsync(Opcode.Text, "still here"u8.ToArray());
        (await paired.Client.ReceiveAsync())!.Text.ShouldBe("still here");

        await end(redis);

        await Eventually.HoldsAsync(
            async () => (await TestClient.ConnectAsync(gateway.Port, _device, new Ask { Role = "node", Scopes = [] })).IsAdmitted,
            "the approved device is admitted again");
        (await TestClient.ConnectAsync(gateway.Port, _device)).ShouldBeAdmitted();
    }
}
