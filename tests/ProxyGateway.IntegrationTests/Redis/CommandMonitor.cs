using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace ProxyGateway.IntegrationTests.Redis;

/// <summary>What <c>MONITOR</c> says of servers.</summary>
internal sealed partial class CommandMonitor : IAsyncDisposable
{
    private readonly List<(Process Process, ConcurrentQueue<string> Lines)> _watched = [];

    public static async Task<CommandMonitor> StartAsync(IEnumerable<RedisServer> servers)
    {
        var monitor = new CommandMonitor();
        foreach (RedisServer server in servers)
        {
            var lines = new ConcurrentQueue<string>();
            Process process = Process.Start(
                new ProcessStartInfo("redis-cli", ["-p", server.Port, "MONITOR"]) { RedirectStandardOutput = true, UseShellExecute = false })!;
            process.OutputDataReceived += (_, e) => lines.Enqueue(e.Data ?? "");
            process.BeginOutputReadLine();
            monitor._watched.Add((process, lines));
            await Eventually.HoldsAsync(() => Task.FromResult(lines.Contains("OK")), "the server is watched");
        }

        return monitor;
    }

    /// <summary>The arguments of every command up to the last, a script's together with those of the commands that it runs.</summary>
    /// <param name="last">What the last command to every server holds.</param>
    public async Task<IReadOnlyList<string[]>> StepsAsync(string last)
    {
        var steps = new List<string[]>();
        foreach ((_, ConcurrentQueue<string> lines) in _watched)
        {
            await Eventually.HoldsAsync(() => Task.FromResult(lines.Any(l => l.Contains(last, StringComparison.Ordinal))), "the last command was seen");
            foreach (string line in lines)
            {
                string[] arguments = [.. Quoted().Matches(line).Select(m => m.Groups["text"].Value)];
                if (line.Contains(" lua] ", StringComparison.Ordinal))
                    steps[^1] = [.. steps[^1], .. arguments];
                else
                    steps.Add(arguments);
            }
        }

        return steps;
    }

    public async ValueTask DisposeAsync()
    {
        foreach ((Process process, _) in _watched)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }
    }

    [GeneratedRegex("\"(?<text>(?:[^\"\\\\]|\\\\.)*)\"", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Quoted();
}
