using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>Sessions that stay open, and what became of those that did not.</summary>
internal sealed class OpenConnections : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly ConcurrentBag<EchoClient> _clients = [];
    private readonly ConcurrentDictionary<string, int> _failures = [];

    /// <summary>How many could not be opened, or have failed since.</summary>
    public int Failed => _failures.Values.Sum();

    /// <summary>How long it took to open them.</summary>
    public TimeSpan OpenedIn { get; private set; }

    public static async Task<OpenConnections> OpenAsync(Peer peer, int count, int atATime)
    {
        var connections = new OpenConnections();
        long started = Stopwatch.GetTimestamp();
        var rest = new ConcurrentQueue<int>(Enumerable.Range(0, count));
        await Task.WhenAll(Enumerable.Range(0, atATime).Select(async _ =>
        {
            await Task.Yield();
            while (rest.TryDequeue(out int i))
            {
                await connections.TryAsync(async () => connections._clients.Add(
                    await EchoClient.OpenAsync(peer.Port, Workload.Device(i)).WaitAsync(Patience)));
            }
        }));
        connections.OpenedIn = Stopwatch.GetElapsedTime(started);
        return connections;
    }

    /// <summary>Keeps messages under way on all of them until the window is over; how long those took that count.</summary>
    public async Task<Series> RelayAsync(LoadWindow window, TimeSpan duration, int size, int inFlight)
    {
        Task[] relaying = [.. _clients.Select(client => Task.Run(() => TryAsync(() => client.RelayAsync(window, size, inFlight))))];
        await window.PassAsync(duration);
        await Task.WhenAll(relaying).WaitAsync(Patience);
        var roundTrips = new Series();
        foreach (EchoClient client in _clients)
        {
            roundTrips.Add(client.RoundTrips);
        }

        return roundTrips;
    }

    /// <summary>What has failed, if anything has.</summary>
    public string DescribeFailures() =>
        Failed == 0 ? "none failed" : $"{Failed} failed ({string.Join("; ", _failures.Select(f => $"{f.Value} × {f.Key}"))})";

    public void Dispose()
    {
        foreach (EchoClient client in _clients)
        {
            client.Dispose();
        }
    }

    private async Task TryAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception e) when (e is IOException or SocketException or TimeoutException)
        {
            _failures.AddOrUpdate(e.Message, 1, static (_, n) => n + 1);
        }
    }
}
