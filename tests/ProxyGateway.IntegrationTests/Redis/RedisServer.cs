using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using ProxyGateway.Tests.Shared;
using StackExchange.Redis;

namespace ProxyGateway.IntegrationTests.Redis;

/// <summary>
/// A Redis of our own, on a port of its own, that keeps its data in a folder of its own as it should in production: append-only, synced at every
/// write. The one that tests share is the one that <c>PROXYGATEWAY_TEST_REDIS</c> names, if it is set, else one in a container where an engine answers
/// (<see cref="RedisInContainer"/>). The others are processes: tests kill and freeze them.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private const int MostPorts = 5;

    private readonly DirectoryInfo? _folder;
    private readonly string[] _settings;
    private Process? _process;
    private IAsyncDisposable? _container;

    private RedisServer(string endPoint, DirectoryInfo? folder, params string[] settings)
    {
        EndPoint = endPoint;
        _folder = folder;
        _settings = settings;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => CleanUp(); // a test that fails to start is never disposed
    }

    /// <summary>Host and port.</summary>
    public string EndPoint { get; }

    private string LogPath => Path.Combine(_folder!.FullName, "log");

    /// <summary>The port alone.</summary>
    public string Port => EndPoint[(EndPoint.LastIndexOf(':') + 1)..];

    /// <summary>Of a cluster's node: where the other nodes reach it.</summary>
    public string ClusterPort => _settings[Array.IndexOf(_settings, "--cluster-port") + 1];

    /// <summary>Starts one that nobody else uses, or takes a port for one that is to be started later.</summary>
    /// <param name="started">Whether it is started.</param>
    /// <param name="settings">
    /// Settings of every start, as on the command line. A <c>--tls-port</c> of 0 stands for its port, a <c>--cluster-port</c> of 0 for another.
    /// </param>
    /// <exception cref="InvalidOperationException">It ended at its start, and what its log says.</exception>
    public static Task<RedisServer> StartAsync(bool started = true, params string[] settings) => StartAsync(ServerPorts.Take, started, settings);

    /// <inheritdoc cref="StartAsync(bool, string[])"/>
    internal static async Task<RedisServer> StartAsync(Func<int> takePort, bool started, params string[] settings)
    {
        for (int attempt = 1; ; attempt++)
        {
            var server = new RedisServer($"127.0.0.1:{takePort()}", Directory.CreateTempSubdirectory("proxygateway-redis-"), WithClusterPort(settings));
            if (!started)
                return server;
            try
            {
                await server.RestartAsync();
                return server;
            }
            catch (InvalidOperationException e) when (ServerPorts.IsTaken(e.Message) && attempt < MostPorts)
            {
                await server.DisposeAsync();
            }
        }
    }

    /// <summary>One that others use too: keep to keys of your own, and leave it running.</summary>
    public static async Task<RedisServer> StartSharedAsync()
    {
        if (Environment.GetEnvironmentVariable("PROXYGATEWAY_TEST_REDIS") is { Length: > 0 } existing)
            return new RedisServer(existing, folder: null);
        return await RedisInContainer.TryStartAsync() is var (endPoint, container) ? new RedisServer(endPoint, folder: null) { _container = container } : await StartAsync();
    }

    /// <summary>A connection for looking behind the store's back.</summary>
    public async Task<ConnectionMultiplexer> ConnectAsync() => await ConnectionMultiplexer.ConnectAsync($"{EndPoint},allowAdmin=true");

    /// <summary>Has it carry out a command.</summary>
    public async Task<RedisResult> ExecuteAsync(string command, params object[] arguments)
    {
        await using ConnectionMultiplexer connection = await ConnectAsync();
        return await connection.GetServer(EndPoint).ExecuteAsync(command, arguments);
    }

    /// <summary>Whether it answers, but only that it is still loading its data.</summary>
    public async Task<bool> IsLoadingAsync() => await PingAsync(isTls: false) is "-LOAD";

    /// <summary>Ends it without any warning.</summary>
    public async Task KillAsync()
    {
        if (_process is not { } process)
            return;
        _process = null;
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    /// <summary>Starts it, with the data it had, and waits until it answers.</summary>
    /// <param name="settings">Settings of this start alone.</param>
    /// <exception cref="InvalidOperationException">It ended at its start, and what its log says.</exception>
    public async Task RestartAsync(params string[] settings)
    {
        await BeginRestartAsync(settings);
        await Eventually.HoldsAsync(
            async () =>
            {
                string log = await ReadLogAsync();
                if (_process!.HasExited)
                    throw new InvalidOperationException($"redis-server ended at its start on {EndPoint}:\n{log}");

                // The log first: what answers on the port may be another process's server.
                return log.Contains("Ready to accept connections", StringComparison.Ordinal) && await AnswersAsync(_settings.Contains("--tls-port"));
            },
            "redis-server answers");
    }

    /// <summary>Starts it, with the data it had; it may still have to load that.</summary>
    /// <inheritdoc cref="RestartAsync"/>
    public async Task BeginRestartAsync(params string[] settings)
    {
        await KillAsync();
        File.Delete(LogPath); // what an earlier run has left must not be taken for a sign
        bool isTls = _settings.Contains("--tls-port");
        _process = Process.Start(new ProcessStartInfo(
            "redis-server",
            [
                "--port", isTls ? "0" : Port, "--bind", "127.0.0.1", "--dir", _folder!.FullName, "--save", "", "--appendonly", "yes", "--appendfsync", "always",
                "--logfile", LogPath, .. _settings, .. isTls ? ["--tls-port", Port] : Array.Empty<string>(), .. settings,
            ]));
    }

    /// <summary>Stops it in its tracks (SIGSTOP): connections stay open, and nothing answers.</summary>
    public Task StopAsync() => SignalAsync("-STOP");

    /// <summary>Lets it go on (SIGCONT).</summary>
    public Task ContinueAsync() => SignalAsync("-CONT");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        CleanUp();
        if (_container is not null)
            await _container.DisposeAsync();
    }

    private void CleanUp()
    {
        long started = Stopwatch.GetTimestamp();
        _process?.Kill();
        _process = null;
        while (_folder is { Exists: true })
        {
            try
            {
                _folder.Delete(recursive: true);
            }
            catch (IOException) when (Stopwatch.GetElapsedTime(started) < Eventually.Patience)
            {
                // A snapshot is written by a child, which outlives the server for a moment and puts a file where nothing was.
            }

            _folder.Refresh();
        }
    }

    private static string[] WithClusterPort(string[] settings)
    {
        int at = Array.IndexOf(settings, "--cluster-port") + 1;
        return at > 0 && settings[at] == "0" ? [.. settings[..at], ServerPorts.Take().ToString(CultureInfo.InvariantCulture), .. settings[(at + 1)..]] : settings;
    }

    private async Task<string> ReadLogAsync() => File.Exists(LogPath) ? await File.ReadAllTextAsync(LogPath) : "";

    private async Task SignalAsync(string signal)
    {
        using Process kill = Process.Start("kill", [signal, _process!.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
        kill.ExitCode.ShouldBe(0);
    }

    // Up; or up, and wants a password first.
    private async Task<bool> AnswersAsync(bool isTls) => await PingAsync(isTls) is "+PONG" or "-NOAU";

    private async Task<string> PingAsync(bool isTls)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPEndPoint.Parse(EndPoint));
            await using Stream stream = isTls ? new SslStream(client.GetStream(), leaveInnerStreamOpen: false, (_, certificate, _, _) => certificate is not null) : client.GetStream();
            if (stream is SslStream tls)
                await tls.AuthenticateAsClientAsync("localhost");
            await stream.WriteAsync("PING\r\n"u8.ToArray());
            byte[] answer = new byte[5];
            int length = await stream.ReadAtLeastAsync(answer, answer.Length, throwOnEndOfStream: false);
            return Encoding.ASCII.GetString(answer, 0, length);
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return "";
        }
    }
}

/// <summary>The Redis that tests share which do it no harm.</summary>
[CollectionDefinition(Name)]
public sealed class SharedRedis : ICollectionFixture<SharedRedis.Fixture>
{
    public const string Name = "Redis";

    public sealed class Fixture : IAsyncLifetime
    {
        public RedisServer Server { get; private set; } = null!;

        public async Task InitializeAsync() => Server = await RedisServer.StartSharedAsync();

        public async Task DisposeAsync() => await Server.DisposeAsync();
    }
}
