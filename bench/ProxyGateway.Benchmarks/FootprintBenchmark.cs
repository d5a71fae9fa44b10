using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using ProxyGateway.Benchmarks.Cost;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Benchmarks;

/// <summary><c>bench/run footprint</c>: the start and the idle memory of the native program, of the one on the .NET runtime, and of nginx, in turns.</summary>
internal static class FootprintBenchmark
{
    private const int NobodyListens = 1;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(1);

    private static readonly Option<int> Rounds = new("--rounds") { Description = "How often each is started; the median counts", DefaultValueFactory = _ => 7 };

    public static Command Command()
    {
        var command = new Command("footprint", "Time to the first answered request, processor time until then, resident memory a second later, and size on disk")
        {
            Rounds, NativeProgram.Option,
        };
        command.SetAction((parsed, _) => RunAsync(parsed.GetValue(Rounds), parsed.GetValue(NativeProgram.Option)!));
        return command;
    }

    private static async Task<int> RunAsync(int rounds, FileInfo native)
    {
        var subjects = new List<Subject>();
        if (native.Exists)
            subjects.Add(new("native", native.Length, NativeLibraries(native), (folder, port) => GatewayAsync(folder, port, native.FullName, [])));
        string dll = Path.Combine(AppContext.BaseDirectory, RunningGateway.Program);
        subjects.Add(new("on the .NET runtime", new FileInfo(dll).Length, Others: null, (folder, port) => GatewayAsync(folder, port, "dotnet", [dll])));
        if (PeerKind.IsInstalled("nginx"))
            subjects.Add(new("nginx", new FileInfo(Installed("nginx")).Length, Others: null, NginxAsync));

        var starts = subjects.ToDictionary(s => s, _ => new List<Start>());
        for (int round = 0; round < rounds; round++)
        {
            // Another one begins each time.
            foreach (Subject subject in subjects.Skip(round % subjects.Count).Concat(subjects.Take(round % subjects.Count)))
                starts[subject].Add(await StartAsync(subject));
        }

        Console.WriteLine($"{RuntimeInformation.OSDescription}, {Environment.ProcessorCount} processors; median of {rounds} (least–most)\n");
        Console.WriteLine("| | ready, ms | processor time until then, ms | resident, MB | shared pages shared out (PSS), MB | without pages of files, MB | program, MB | libraries beside it, MB |");
        Console.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach ((Subject subject, List<Start> all) in starts)
        {
            string[] cells =
            [
                Describe(all.Select(s => s.Ready.TotalMilliseconds), "N0"), Describe(all.Select(s => s.Processor.TotalMilliseconds), "N0"),
                Describe(all.Select(s => Megabytes(s.Resident)), "N1"), Describe(all.Select(s => Megabytes(s.Shared)), "N1"), Describe(all.Select(s => Megabytes(s.Anonymous)), "N1"),
                Megabytes(subject.Program).ToString("N1", CultureInfo.InvariantCulture), subject.Others is { } others ? Megabytes(others).ToString("N1", CultureInfo.InvariantCulture) : "",
            ];
            Console.WriteLine($"| {subject.Name} | {string.Join(" | ", cells)} |");
        }

        return 0;
    }

    private static async Task<Start> StartAsync(Subject subject)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("proxygateway-bench-");
        try
        {
            int port = ServerPorts.Take();
            ProcessStartInfo start = await subject.PrepareAsync(folder.FullName, port);
            (start.WorkingDirectory, start.RedirectStandardOutput, start.RedirectStandardError) = (folder.FullName, true, true);
            long began = Stopwatch.GetTimestamp();
            using Process process = Process.Start(start)!;
            process.OutputDataReceived += static (_, _) => { };
            process.ErrorDataReceived += static (_, _) => { };
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            try
            {
                await AnswersAsync(port, process);
                TimeSpan ready = Stopwatch.GetElapsedTime(began);
                TimeSpan processor = TimeSpan.Zero;
                foreach (int id in Family(process.Id))
                    processor += ProcessorTime(id);
                await Task.Delay(Settling);
                int[] family = [.. Family(process.Id)];
                return new Start(
                    ready, processor,
                    family.Sum(id => Kilobytes($"/proc/{id}/status", "VmRSS:")), family.Sum(id => Kilobytes($"/proc/{id}/smaps_rollup", "Pss:")),
                    family.Sum(id => Kilobytes($"/proc/{id}/status", "RssAnon:")));
            }
            finally
            {
                process.Kill(entireProcessTree: true);
                await process.WaitForExitAsync();
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<ProcessStartInfo> GatewayAsync(string folder, int port, string program, string[] arguments)
    {
        var settings = new JsonObject
        {
            ["Urls"] = "http://127.0.0.1:0",
            ["Admin"] = new JsonObject { ["Url"] = $"http://127.0.0.1:{port}" },
            ["ReverseProxy"] = new JsonObject
            {
                ["Routes"] = new JsonObject { ["agent"] = new JsonObject { ["ClusterId"] = "agent", ["Match"] = new JsonObject { ["Path"] = "/{**path}" } } },
                ["Clusters"] = new JsonObject
                {
                    ["agent"] = new JsonObject { ["Destinations"] = new JsonObject { ["local"] = new JsonObject { ["Address"] = $"http://127.0.0.1:{NobodyListens}" } } },
                },
            },
        };
        await File.WriteAllTextAsync(Path.Combine(folder, "appsettings.json"), settings.ToJsonString());
        return new ProcessStartInfo(program, arguments);
    }

    private static async Task<ProcessStartInfo> NginxAsync(string folder, int port)
    {
        string template = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "nginx.conf"));
        string file = Path.Combine(folder, "nginx.conf");
        await File.WriteAllTextAsync(file, ConfigurationFolder.FillIn(template, folder, port, NobodyListens, auth: 0));
        return new ProcessStartInfo("nginx", ["-c", file, "-e", "stderr"]);
    }

    // The gateway says that it can admit devices; nginx says that no agent is there. Either is an answer.
    private static async Task AnswersAsync(int port, Process process)
    {
        byte[] request = System.Text.Encoding.ASCII.GetBytes($"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
        byte[] answer = new byte[12];
        while (!process.HasExited)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync("127.0.0.1", port);
                await client.GetStream().WriteAsync(request);
                await client.GetStream().ReadExactlyAsync(answer);
                if (answer.AsSpan().EndsWith("200"u8) || answer.AsSpan().EndsWith("502"u8))
                    return;
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                // not yet
            }

            await Task.Delay(1);
        }

        throw new InvalidOperationException("The program has ended.");
    }

    private static IEnumerable<int> Family(int id) =>
        [id, .. File.ReadAllText($"/proc/{id}/task/{id}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(static c => int.Parse(c, CultureInfo.InvariantCulture))];

    private static TimeSpan ProcessorTime(int id)
    {
        using var process = Process.GetProcessById(id);
        return process.TotalProcessorTime;
    }

    private static long Kilobytes(string file, string name) =>
        long.Parse(File.ReadLines(file).Single(l => l.StartsWith(name, StringComparison.Ordinal)).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;

    private static long NativeLibraries(FileInfo native) => native.Directory!.EnumerateFiles("*.so").Sum(f => f.Length);

    private static string Installed(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, program)).First(File.Exists);

    private static double Megabytes(long bytes) => bytes / 1e6;

    private static string Describe(IEnumerable<double> values, string format)
    {
        double[] sorted = [.. values.Order()];
        string Text(double value) => value.ToString(format, CultureInfo.InvariantCulture);
        return $"{Text(sorted[sorted.Length / 2])} ({Text(sorted[0])}–{Text(sorted[^1])})";
    }

    private sealed record Subject(string Name, long Program, long? Others, Func<string, int, Task<ProcessStartInfo>> PrepareAsync);

    private sealed record Start(TimeSpan Ready, TimeSpan Processor, long Resident, long Shared, long Anonymous);
}
