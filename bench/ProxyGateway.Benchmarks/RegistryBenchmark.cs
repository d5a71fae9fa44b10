using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Benchmarks;

/// <summary><c>bench/run registry</c>: what a decision, a page and a device cost, in small and in large registries, measured in turns.</summary>
internal static class RegistryBenchmark
{
    private const int Few = 1000;
    private const int Turn = 200; // calls of one registry before the next has its turn
    private const int Callers = 16;
    private const int PageSize = 100;
    private const int OpenRequests = 1000;
    private const double HighestRatio = 1.25;

    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly ClaimOrigin Origin = new(new Locality(IsLoopback: false), "192.0.2.1", () => PeerUser.Unknown);
    private static readonly PairingRules Rules = new(
        new PairingPolicy { AutoApprove = [] }, new Lifetimes(TimeSpan.FromHours(1), TimeSpan.FromDays(90)), PendingLimits.None);

    private static readonly Option<int> Devices = new("--devices") { Description = "How many devices are many", DefaultValueFactory = _ => 1_000_000 };
    private static readonly Option<int> Seconds = new("--seconds") { Description = "How long decisions are measured", DefaultValueFactory = _ => 20 };

    public static Command Command()
    {
        var command = new Command("registry", "Decisions per second and percentiles, pages and sizes; fails if many devices cost more than few") { Devices, Seconds };
        command.SetAction((parsed, _) => RunAsync(parsed.GetValue(Devices), TimeSpan.FromSeconds(parsed.GetValue(Seconds))));
        return command;
    }

    private static async Task<int> RunAsync(int many, TimeSpan duration)
    {
        await using Subject fewOnSqlite = await Subject.OnSqliteAsync(Few);
        await using Subject manyOnSqlite = await Subject.OnSqliteAsync(many);
        await using Subject fewOnRedis = await Subject.OnRedisAsync(Few);
        await using Subject manyOnRedis = await Subject.OnRedisAsync(many);
        (Subject Few, Subject Many)[] pairs = [(fewOnSqlite, manyOnSqlite), (fewOnRedis, manyOnRedis)];
        Subject[] all = [fewOnSqlite, manyOnSqlite, fewOnRedis, manyOnRedis];

        await WriteSizesAsync(all);
        bool isFlat = await WriteDecisionsAsync(all, pairs, duration);
        await WritePagesAsync(all);
        await WriteRoundTripsAsync(manyOnRedis);
        return isFlat ? 0 : 1;
    }

    private static async Task WriteSizesAsync(Subject[] all)
    {
        Line("", "devices", "filled in s", "bytes/device", "document", "index");
        foreach (Subject s in all)
        {
            Line(
                s.Name,
                Number(s.Devices),
                Number(s.Filled.TotalSeconds, 1),
                Number(s.Bytes / (double)s.Devices),
                s.Redis is null ? "" : Number(await s.Redis.MemoryOfAsync($"pg:{{{Fleet.Claim(0).Device}}}")),
                s.Redis is null ? "" : Number(await s.Redis.MemoryOfAsync("pg:devices") / (double)s.Devices));
        }
    }

    private static async Task<bool> WriteDecisionsAsync(Subject[] all, (Subject Few, Subject Many)[] pairs, TimeSpan duration)
    {
        Dictionary<Subject, Series> series = all.ToDictionary(s => s, _ => new Series());
        foreach (Subject subject in all)
            await DecideAsync(subject, new Series(), 20 * Turn); // compiled, connected, in the caches
        for (long started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < duration;)
        {
            foreach (Subject subject in all)
                await DecideAsync(subject, series[subject], Turn);
        }

        Dictionary<Subject, double> together = all.ToDictionary(s => s, _ => 0.0);
        const int Rounds = 10;
        for (int round = 0; round < Rounds; round++)
        {
            foreach (Subject subject in all)
                together[subject] += await DecideTogetherAsync(subject) / Rounds;
        }

        Line("", "devices", "decisions", "p50 in µs", "p99 in µs", "per s", $"{Callers} callers");
        foreach (Subject s in all)
        {
            Line(
                s.Name, Number(s.Devices), Number(series[s].Count), Microseconds(series[s].Median), Microseconds(series[s].Percentile(0.99)),
                Number(series[s].PerSecond), Number(together[s]));
        }

        bool isFlat = true;
        foreach ((Subject few, Subject many) in pairs)
        {
            double ratio = series[many].Median / series[few].Median;
            isFlat &= ratio < HighestRatio;
            Console.WriteLine($"{few.Name}: the median with {Number(many.Devices)} devices is {Number(ratio, 2)} times that with {Number(few.Devices)} (below {Number(HighestRatio, 2)})");
        }

        Console.WriteLine();
        return isFlat;
    }

    private static async Task DecideAsync(Subject subject, Series series, int count)
    {
        DeviceClaim[] claims = [.. Enumerable.Range(0, count).Select(_ => subject.AnyClaim())];
        foreach (DeviceClaim claim in claims)
            await series.MeasureAsync(() => AdmitAsync(subject, claim));
    }

    /// <summary>Decisions in a second when many ask at once.</summary>
    private static async Task<double> DecideTogetherAsync(Subject subject)
    {
        DeviceClaim[][] claims = [.. Enumerable.Range(0, Callers).Select(_ => Enumerable.Range(0, Turn).Select(_ => subject.AnyClaim()).ToArray())];
        long started = Stopwatch.GetTimestamp();
        await Task.WhenAll(claims.Select(own => Task.Run(async () =>
        {
            foreach (DeviceClaim claim in own)
                await AdmitAsync(subject, claim);
        })));
        return Callers * Turn / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static async ValueTask AdmitAsync(Subject subject, DeviceClaim claim)
    {
        if (await subject.Registry.AdmitAsync(claim, Origin, Rules, None) is not Admission.Admitted)
            throw new InvalidOperationException("A paired device was not admitted.");
    }

    private static async Task WritePagesAsync(Subject[] all)
    {
        Line("", "devices", "first in µs", "middle", "last", $"{OpenRequests} open");
        foreach (Subject subject in all)
        {
            for (int i = 0; i < OpenRequests; i++)
                await subject.Registry.AdmitAsync(Fleet.Claim(subject.Devices + i), Origin, Rules, None);
        }

        foreach (Subject s in all)
        {
            // Ids are hashes: half of them are above 8000..., and about a page's worth above this.
            string last = ((uint)(uint.MaxValue * (1 - ((double)PageSize / s.Devices)))).ToString("x8", CultureInfo.InvariantCulture);
            Line(
                s.Name,
                Number(s.Devices),
                await PagesAsync(() => s.Registry.ListDevicesAsync(cursor: null, PageSize, None)),
                await PagesAsync(() => s.Registry.ListDevicesAsync(new string('8', DeviceId.Length), PageSize, None)),
                await PagesAsync(() => s.Registry.ListDevicesAsync(last + new string('0', DeviceId.Length - last.Length), PageSize, None)),
                await PagesAsync(() => s.Registry.ListOpenRequestsAsync(cursor: null, PageSize, None)));
        }
    }

    private static async Task<string> PagesAsync<T>(Func<ValueTask<PagedResult<T>>> list)
    {
        var series = new Series();
        for (int i = 0; i < Turn; i++)
            await series.MeasureAsync(async () => await list());
        return Microseconds(series.Median);
    }

    private static async Task WriteRoundTripsAsync(Subject subject)
    {
        await subject.Redis!.ResetStatisticsAsync();
        await DecideAsync(subject, new Series(), OpenRequests);
        Dictionary<string, long> calls = await subject.Redis.CallsAsync();
        Console.WriteLine($"{OpenRequests} handshakes of paired devices: {string.Join(", ", calls.OrderByDescending(c => c.Value).Select(c => $"{c.Value} {c.Key}"))}");
        Console.WriteLine("(getex and time are inside the script that evalsha runs; what is few is upkeep of the connection)");
    }

    private static void Line(params ReadOnlySpan<string> cells)
    {
        if (cells[0].Length == 0)
            Console.WriteLine();
        Console.WriteLine(cells[0].PadRight(8) + string.Concat(cells[1..].ToArray().Select(c => c.PadLeft(14))));
    }

    private static string Microseconds(TimeSpan time) => Number(time.TotalMicroseconds, 1);

    private static string Number(double number, int digits = 0) => number.ToString("N" + digits, CultureInfo.InvariantCulture);
}
