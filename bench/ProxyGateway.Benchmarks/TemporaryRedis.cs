using System.Diagnostics;
using System.Globalization;
using StackExchange.Redis;

namespace ProxyGateway.Benchmarks;

/// <summary>A <c>redis-server</c> on a free port, which keeps nothing.</summary>
internal sealed class TemporaryRedis : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxygateway-bench-redis-");
    private readonly Process _process;
    private ConnectionMultiplexer _connection = null!;

    private TemporaryRedis()
    {
        int port = FreePort.Find();
        EndPoint = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");
        _process = Process.Start(new ProcessStartInfo(
            "redis-server",
            ["--port", port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", _folder.FullName, "--save", "", "--logfile", "log"]))!;
    }

    /// <summary>Host and port.</summary>
    public string EndPoint { get; }

    public int ProcessId => _process.Id;

    /// <summary>A connection for looking behind the store's back.</summary>
    public IDatabase Database => _connection.GetDatabase();

    private IServer Server => _connection.GetServers().Single();

    public static async Task<TemporaryRedis> StartAsync()
    {
        var redis = new TemporaryRedis();
        redis._connection = await ConnectionMultiplexer.ConnectAsync(new ConfigurationOptions
        {
            EndPoints = { redis.EndPoint },
            AllowAdmin = true,
            ConnectRetry = 100,
            ConnectTimeout = 1000,
        });
        return redis;
    }

    /// <summary>What the server's allocator has given out, in bytes.</summary>
    public async Task<long> UsedMemoryAsync() => long.Parse(
        (await Server.InfoAsync("memory")).SelectMany(group => group).Single(p => p.Key == "used_memory").Value, CultureInfo.InvariantCulture);

    /// <summary>The memory of one key with all that is in it, in bytes.</summary>
    public async Task<long> MemoryOfAsync(string key) => (long)await Database.ExecuteAsync("MEMORY", "USAGE", key, "SAMPLES", "0");

    /// <summary>Starts to count commands at zero.</summary>
    public Task ResetStatisticsAsync() => Server.ConfigResetStatisticsAsync();

    /// <summary>How often each command was called, those inside scripts included.</summary>
    public async Task<Dictionary<string, long>> CallsAsync() => (await Server.InfoAsync("commandstats")).SelectMany(group => group).ToDictionary(
        p => p.Key["cmdstat_".Length..], p => long.Parse(p.Value["calls=".Length..p.Value.IndexOf(',')], CultureInfo.InvariantCulture));

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _folder.Delete(recursive: true);
    }
}
