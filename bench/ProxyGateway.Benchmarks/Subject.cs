using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;

namespace ProxyGateway.Benchmarks;

/// <summary>A registry of one kind and one size, filled.</summary>
internal sealed class Subject : IAsyncDisposable
{
    private readonly DirectoryInfo? _folder;

    private Subject(string name, int devices, ICopyableDeviceStore store, TemporaryRedis? redis, DirectoryInfo? folder)
    {
        Name = name;
        Devices = devices;
        Store = store;
        Registry = new DeviceRegistry(store);
        Redis = redis;
        _folder = folder;
    }

    public string Name { get; }

    public int Devices { get; }

    public ICopyableDeviceStore Store { get; }

    public DeviceRegistry Registry { get; }

    /// <summary>The server, where there is one.</summary>
    public TemporaryRedis? Redis { get; }

    /// <summary>How long it took to fill.</summary>
    public TimeSpan Filled { get; private init; }

    /// <summary>What it takes up: memory of Redis or the file, less what an empty one takes.</summary>
    public long Bytes { get; private init; }

    public static async Task<Subject> OnSqliteAsync(int devices)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("proxygateway-bench-sqlite-");
        var options = new SqliteStoreOptions { Path = Path.Combine(folder.FullName, "registry.db") };
        TimeSpan filled;
        await using (SqliteDeviceStore store = SqliteDeviceStore.Open(options, TimeProvider.System))
        {
            filled = await FillAsync(store, devices);
        }

        long bytes = new FileInfo(options.Path).Length; // closed, so all of it is in the one file
        return new Subject("SQLite", devices, SqliteDeviceStore.Open(options, TimeProvider.System), redis: null, folder) { Filled = filled, Bytes = bytes };
    }

    public static async Task<Subject> OnRedisAsync(int devices)
    {
        TemporaryRedis redis = await TemporaryRedis.StartAsync();
        var options = new RedisStoreOptions { Configuration = redis.EndPoint, Timeout = TimeSpan.FromSeconds(30) };
        var store = new RedisDeviceStore(options, NullLogger<RedisDeviceStore>.Instance);
        await store.PingAsync(CancellationToken.None);
        long before = await redis.UsedMemoryAsync();
        TimeSpan filled = await FillAsync(store, devices);
        return new Subject("Redis", devices, store, redis, folder: null) { Filled = filled, Bytes = await redis.UsedMemoryAsync() - before };
    }

    /// <summary>A claim of any of the devices.</summary>
    public DeviceClaim AnyClaim() => Fleet.Claim(Random.Shared.Next(Devices));

    public async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        if (Redis is not null)
            await Redis.DisposeAsync();
        _folder?.Delete(recursive: true);
    }

    private static async Task<TimeSpan> FillAsync(ICopyableDeviceStore store, int devices)
    {
        long started = Stopwatch.GetTimestamp();
        DateTimeOffset now = (await store.GetAsync(Fleet.Claim(0).Device, CancellationToken.None)).Now;
        await store.WriteAllAsync(Fleet.Paired(devices, now), CancellationToken.None);
        return Stopwatch.GetElapsedTime(started);
    }
}
