using System.Diagnostics;
using System.Globalization;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>One of those that are compared, running before the agent.</summary>
internal sealed class Peer(string name, int port, IReadOnlyList<int> processes, params IAsyncDisposable[] owned) : IAsyncDisposable
{
    public string Name => name;

    /// <summary>Where clients connect.</summary>
    public int Port => port;

    /// <summary>The process of the registry that it asks, which is measured apart.</summary>
    public int? Registry { get; init; }

    /// <summary>What its own processes have used of the processors.</summary>
    public TimeSpan ProcessorTime() => processes.Aggregate(TimeSpan.Zero, static (sum, id) => sum + ProcessorTime(id));

    /// <summary>What its registry has used of the processors.</summary>
    public TimeSpan RegistryTime() => Registry is { } id ? ProcessorTime(id) : TimeSpan.Zero;

    /// <summary>What is resident of its own processes, in bytes.</summary>
    public long ResidentBytes() => processes.Sum(static id =>
    {
        // Exact, where the counters of "status" lag behind by some pages a thread.
        string line = File.ReadLines($"/proc/{id}/smaps_rollup").First(l => l.StartsWith("Rss:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    });

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable one in owned)
        {
            await one.DisposeAsync();
        }
    }

    private static TimeSpan ProcessorTime(int id)
    {
        using var process = Process.GetProcessById(id);
        return process.TotalProcessorTime;
    }
}
