using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace ProxyGateway.Benchmarks;

/// <summary>The program before the sample agent, each a process, in a folder of its own. Clients are behind a trusted proxy, so that they may have any address.</summary>
internal sealed class RunningGateway : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxygateway-bench-");
    private readonly List<Process> _processes = [];

    /// <summary>Where devices connect.</summary>
    public int Port { get; private set; }

    private Process Gateway => _processes[^1];

    /// <param name="deviceAuth">The section <c>DeviceAuth</c>.</param>
    public static async Task<RunningGateway> StartAsync(JsonObject deviceAuth)
    {
        var running = new RunningGateway();
        string agent = await running.StartAsync("SampleAgent.dll", "listens on", "listens on", "--urls", "http://127.0.0.1:0");
        deviceAuth["TrustedProxies"] = new JsonArray("127.0.0.1");
        await File.WriteAllTextAsync(Path.Combine(running._folder.FullName, "appsettings.json"), new JsonObject
        {
            ["Urls"] = "http://127.0.0.1:0",
            ["Admin"] = new JsonObject { ["Url"] = "http://127.0.0.1:0" },
            ["DeviceAuth"] = deviceAuth,
            ["ReverseProxy"] = new JsonObject
            {
                ["Routes"] = new JsonObject { ["agent"] = new JsonObject { ["ClusterId"] = "agent", ["Match"] = new JsonObject { ["Path"] = "/" } } },
                ["Clusters"] = new JsonObject
                {
                    ["agent"] = new JsonObject { ["Destinations"] = new JsonObject { ["local"] = new JsonObject { ["Address"] = agent } } },
                },
            },
        }.ToJsonString());
        running.Port = new Uri(await running.StartAsync("proxygateway.dll", "Application started", "Now listening on:")).Port;
        return running;
    }

    /// <summary>The gateway's resident memory, in bytes.</summary>
    public async Task<long> ResidentBytesAsync()
    {
        string line = (await File.ReadAllLinesAsync($"/proc/{Gateway.Id}/status")).Single(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    /// <summary>How many files and sockets the gateway has open.</summary>
    public int Handles() => Directory.GetFileSystemEntries($"/proc/{Gateway.Id}/fd").Length;

    /// <summary>What the gateway has used of the processors.</summary>
    public TimeSpan ProcessorTime()
    {
        Gateway.Refresh();
        return Gateway.TotalProcessorTime;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (Process process in _processes.AsEnumerable().Reverse())
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        _folder.Delete(recursive: true);
    }

    // Once it has started: what comes after the sign in the last line that has it.
    private async Task<string> StartAsync(string dll, string started, string sign, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, dll), .. arguments])
        {
            WorkingDirectory = _folder.FullName,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        Process process = Process.Start(start)!;
        _processes.Add(process);
        var said = new ConcurrentQueue<string>();
        var isUp = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Read(object? sender, DataReceivedEventArgs line)
        {
            said.Enqueue(line.Data ?? "");
            if (line.Data?.Contains(started, StringComparison.Ordinal) == true)
                isUp.TrySetResult();
        }

        process.OutputDataReceived += Read;
        process.ErrorDataReceived += Read;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            await isUp.Task.WaitAsync(Patience);
            string line = said.Last(l => l.Contains(sign, StringComparison.Ordinal));
            return line[(line.IndexOf(sign, StringComparison.Ordinal) + sign.Length)..].Trim();
        }
        catch (TimeoutException e)
        {
            throw new InvalidOperationException($"{dll} did not start:\n{string.Join('\n', said)}", e);
        }
    }
}
