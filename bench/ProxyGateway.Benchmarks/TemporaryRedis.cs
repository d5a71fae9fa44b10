using System.Globalization;
using StackExchange.Redis;

namespace ProxyGateway.Benchmarks;

/// <summary>A <c>redis-server</c> on a port of its own, which keeps nothing.</summary>
internal sealed class TemporaryRedis : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;
    private readonly ChildProcess _server;
    private readonly ConnectionMultiplexer _connection;

    private TemporaryRedis(DirectoryInfo folder, ChildProcess server, string endPoint, ConnectionMultiplexer connection) =>
        (_folder, _server, EndPoint, _connection) = (folder, server, endPoint, connection);

    /// <summary>Host and port.</summary>
    public string EndPoint { get; }

    public int ProcessId => _server.Id;

    /// <summary>A connection for looking behind the store's back.</summary>
    public IDatabase Database => _connection.GetDatabase();

    private IServer Server => _connection.GetServers().Single();

    public static async Task<TemporaryRedis> StartAsync()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("proxygateway-bench-redis-");
        (ChildProcess server, int port) = await ChildProcess.StartListenerAsync(folder.FullName, "redis-server", port => Task.FromResult<string[]>(
            ["--port", port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", folder.FullName, "--save", ""]));
        string endPoint = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");
        return new TemporaryRedis(folder, server, endPoint, await ConnectionMultiplexer.ConnectAsync($"{endPoint},allowAdmin=true"));
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
        await _server.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
