using System.Collections.Concurrent;
using System.CommandLine;
using System.Diagnostics;
using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Benchmarks;

/// <summary><c>bench/run flood</c>: strangers flood the gateway from one address, and a paired device at another comes and goes.</summary>
internal static class FloodBenchmark
{
    private const string Strangers = "203.0.113.9";
    private const string Paired = "198.51.100.1";

    private static readonly Option<int> Seconds = new("--seconds") { Description = "How long each part is", DefaultValueFactory = _ => 10 };
    private static readonly Option<int> Clients = new("--clients") { Description = "How many strangers flood at a time", DefaultValueFactory = _ => 64 };

    public static Command Command()
    {
        var command = new Command("flood", "Refusals a second, and the handshakes of a paired device before and meanwhile") { Seconds, Clients };
        command.SetAction((parsed, _) => RunAsync(TimeSpan.FromSeconds(parsed.GetValue(Seconds)), parsed.GetValue(Clients)));
        return command;
    }

    private static async Task<int> RunAsync(TimeSpan duration, int clients)
    {
        await using RunningGateway gateway = await RunningGateway.StartAsync(new JsonObject
        {
            ["Pairing"] = new JsonObject
            {
                ["AutoApprove"] = new JsonObject
                {
                    ["paired"] = new JsonObject { ["From"] = new JsonArray(Paired + "/32"), ["Reasons"] = new JsonArray("not-paired") },
                },
            },
        });
        DeviceIdentity device = TemporaryDevice.Create();
        await ComeAndGoAsync(gateway, device, TimeSpan.FromSeconds(2)); // warm
        Report("before", await ComeAndGoAsync(gateway, device, duration));

        foreach ((string what, bool forges) in new[] { ("silent", false), ("with forged proofs", true) })
        {
            var answers = new ConcurrentDictionary<string, int>();
            using var end = new CancellationTokenSource();
            TimeSpan processor = gateway.ProcessorTime();
            Task[] flood = [.. Enumerable.Range(0, clients).Select(_ => Task.Run(() => FloodAsync(gateway.Port, forges, answers, end.Token)))];
            long started = Stopwatch.GetTimestamp();
            (Series series, int refused) = await ComeAndGoAsync(gateway, device, duration);
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            processor = gateway.ProcessorTime() - processor;
            await end.CancelAsync();
            await Task.WhenAll(flood);
            Report($"while {clients} strangers flood, {what}", (series, refused));
            Console.WriteLine($"  strangers, a second: {string.Join(", ", answers.OrderBy(a => a.Key).Select(a => $"{a.Key}: {a.Value / seconds:N0}"))}; the gateway used {processor.TotalSeconds / seconds:P0} of a processor");
        }

        return 0;
    }

    private static void Report(string when, (Series Series, int Refused) measured) => Console.WriteLine(
        $"{when}: {measured.Series.Count:N0} handshakes of the paired device, {measured.Refused} refused; median {measured.Series.Median.TotalMilliseconds:N2} ms, p99 {measured.Series.Percentile(0.99).TotalMilliseconds:N2} ms");

    private static async Task<(Series Series, int Refused)> ComeAndGoAsync(RunningGateway gateway, DeviceIdentity device, TimeSpan duration)
    {
        var series = new Series();
        int refused = 0;
        long started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < duration)
        {
            await series.MeasureAsync(async () =>
            {
                using RawClient client = await RawClient.ConnectAsync(gateway.Port);
                if (await client.UpgradeAsync(Paired) != 101 || !await client.ProveAsync(device))
                    refused++;
            });
            await Task.Delay(20); // within its own budget
        }

        return (series, refused);
    }

    private static async Task FloodAsync(int port, bool forges, ConcurrentDictionary<string, int> answers, CancellationToken end)
    {
        DeviceIdentity forger = TemporaryDevice.Create();
        while (!end.IsCancellationRequested)
        {
            using RawClient client = await RawClient.ConnectAsync(port);
            int status;
            while ((status = await client.UpgradeAsync(Strangers)) is not (0 or 101) && !end.IsCancellationRequested)
                answers.AddOrUpdate($"{status}", 1, static (_, n) => n + 1);
            if (status != 101)
                continue;
            answers.AddOrUpdate("101", 1, static (_, n) => n + 1);
            if (forges)
                await client.ProveAsync(forger, forged: true);
            else
            {
                await Task.Delay(TimeSpan.FromSeconds(1), end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
