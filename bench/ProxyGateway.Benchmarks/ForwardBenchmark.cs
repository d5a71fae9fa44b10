using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using ProxyGateway.Benchmarks.Cost;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Benchmarks;

/// <summary><c>bench/run forward</c>: what the command forward costs, beside a client that makes its proofs itself.</summary>
internal static class ForwardBenchmark
{
    private const string Agent = "/proof";
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(5);

    private static readonly Option<int> Seconds = new("--seconds") { Description = "How long each figure is measured", DefaultValueFactory = _ => 5 };
    private static readonly Option<int> Rounds = new("--rounds") { Description = "How often", DefaultValueFactory = _ => 3 };
    private static readonly Option<int> Streams = new("--streams") { Description = "How many streams of events are idle at once", DefaultValueFactory = _ => 1000 };

    public static Command Command()
    {
        var command = new Command("forward", "Latency, processor time and memory of the command forward, beside a client that makes its proofs itself") { Seconds, Rounds, Streams };
        command.SetAction((parsed, _) => RunAsync(TimeSpan.FromSeconds(parsed.GetValue(Seconds)), parsed.GetValue(Rounds), parsed.GetValue(Streams)));
        return command;
    }

    private static async Task<int> RunAsync(TimeSpan duration, int rounds, int streams)
    {
        await using RunningAgent agent = await RunningAgent.StartAsync();
        await using RunningGateway gateway = await RunningGateway.StartBeforeAsync(RunningGateway.Program, agent.Address.ToString(), Settings(streams));
        var target = new Uri($"http://127.0.0.1:{gateway.Port}{Agent}");
        using DeviceIdentity device = DeviceIdentity.Create();
        await using (Peer forward = await StartForwardAsync(target))
        {
            Console.WriteLine($"resident after the start: {forward.ResidentBytes() / 1048576.0:N0} MiB");
            await IdleAsync(forward, streams);
        }

        await using Peer busy = await StartForwardAsync(target);
        using HttpClient own = DeviceHttpHandler.CreateClient(device);
        using var plain = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        var direct = new Uri($"{target}/page");
        var forwarded = new Uri($"http://127.0.0.1:{busy.Port}/page");
        await AskAsync(own, direct, busy, WarmUp, atATime: 32);
        await AskAsync(plain, forwarded, busy, WarmUp, atATime: 32);
        for (int round = 1; round <= rounds; round++)
        {
            foreach (int atATime in (int[])[1, 32])
            {
                Asked without = await AskAsync(own, direct, busy, duration, atATime);
                Asked through = await AskAsync(plain, forwarded, busy, duration, atATime);
                Console.WriteLine(
                    $"a GET of 1 KiB, {atATime} at a time: median {through.Median:N0} µs, p99 {through.P99:N0} µs, {through.PerSecond:N0} a second, {through.Processor:N0} µs of forward's processor time each; "
                    + $"without it median {without.Median:N0} µs, p99 {without.P99:N0} µs, {without.PerSecond:N0} a second");
            }
        }

        Console.WriteLine($"resident after that: {busy.ResidentBytes() / 1048576.0:N0} MiB");
        return 0;
    }

    private static JsonObject Settings(int streams) => new()
    {
        ["DeviceAuth"] = new JsonObject
        {
            ["Limits"] = new JsonObject
            {
                ["HandshakesPerSecondPerAddress"] = "1000000",
                ["HandshakesPerAddress"] = "1000",
                ["HandshakesPerDestination"] = "1000",
                ["SessionsPerDevice"] = $"{streams + 1000}",
                ["ConnectionsPerAddress"] = "100000",
            },
        },
    };

    private static async Task<Peer> StartForwardAsync(Uri target)
    {
        var folder = new TemporaryFolder();
        ChildProcess child = await ChildProcess.StartAsync(
            folder.Path, RunningGateway.Program, "lets this device in", "forward", target.ToString(), "--listen", "127.0.0.1:0", "--identity", "device.json");
        string line = child.After("http://127.0.0.1:");
        return new Peer("forward", int.Parse(line.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture), [child.Id], child, folder);
    }

    private static async Task IdleAsync(Peer forward, int streams)
    {
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        var url = new Uri($"http://127.0.0.1:{forward.Port}/idle");
        List<HttpResponseMessage> open = await OpenAsync(client, url, 50); // what is loaded and compiled for the first ones is there
        open.ForEach(response => response.Dispose());
        await Task.Delay(Settling);
        long before = forward.ResidentBytes();
        open = await OpenAsync(client, url, streams);
        await Task.Delay(Settling);
        long during = forward.ResidentBytes();
        TimeSpan processor = forward.ProcessorTime();
        await Task.Delay(Settling);
        Console.WriteLine(
            $"{streams:N0} idle streams of events: {during / 1048576.0:N0} MiB resident, {(during - before) / 1024.0 / streams:N1} KiB each, "
            + $"{(forward.ProcessorTime() - processor).TotalMilliseconds / Settling.TotalSeconds:N1} ms of processor time a second");
        open.ForEach(response => response.Dispose());
    }

    private static async Task<List<HttpResponseMessage>> OpenAsync(HttpClient client, Uri url, int count)
    {
        var open = new List<HttpResponseMessage>(count);
        for (int i = 0; i < count; i++)
        {
            HttpResponseMessage response = await client.GetAsync(url, HttpCompletionOption.ResponseHeadersRead);
            response.EnsureSuccessStatusCode();
            Stream stream = await response.Content.ReadAsStreamAsync();
            if (await stream.ReadAsync(new byte[64]) == 0)
                throw new InvalidOperationException("A stream ended.");
            open.Add(response);
        }

        return open;
    }

    private static async Task<Asked> AskAsync(HttpClient client, Uri url, Peer forward, TimeSpan duration, int atATime)
    {
        TimeSpan processor = forward.ProcessorTime();
        long begin = Stopwatch.GetTimestamp();
        List<double>[] all = await Task.WhenAll(Enumerable.Range(0, atATime).Select(_ => Task.Run(async () =>
        {
            var times = new List<double>();
            while (Stopwatch.GetElapsedTime(begin) < duration)
            {
                long started = Stopwatch.GetTimestamp();
                using HttpResponseMessage answer = await client.GetAsync(url);
                answer.EnsureSuccessStatusCode();
                times.Add(Stopwatch.GetElapsedTime(started).TotalMicroseconds);
            }

            return times;
        })));
        double[] sorted = [.. all.SelectMany(static times => times).Order()];
        return new Asked(
            sorted[sorted.Length / 2],
            sorted[sorted.Length * 99 / 100],
            sorted.Length / Stopwatch.GetElapsedTime(begin).TotalSeconds,
            (forward.ProcessorTime() - processor).TotalMicroseconds / sorted.Length);
    }

    /// <summary>Times in microseconds.</summary>
    private sealed record Asked(double Median, double P99, double PerSecond, double Processor);

    private sealed class TemporaryFolder : IAsyncDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxygateway-bench-");

        public string Path => _folder.FullName;

        public ValueTask DisposeAsync()
        {
            _folder.Delete(recursive: true);
            return ValueTask.CompletedTask;
        }
    }
}
