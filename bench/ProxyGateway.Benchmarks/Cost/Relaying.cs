using System.Globalization;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>Sessions on which messages go out and come back, and how long that takes while the load does all it can.</summary>
/// <param name="name">Its name on the command line.</param>
/// <param name="title">Its name in the table.</param>
/// <param name="count">How many sessions.</param>
/// <param name="size">Of a message, in bytes.</param>
/// <param name="inFlight">How many messages are under way on each.</param>
/// <param name="isCrowd">Whether all are opened at the same time, and it is said how that went.</param>
internal sealed class Relaying(string name, string title, int count, int size, int inFlight, bool isCrowd = false) : Workload(name, title)
{
    public override async Task<Measurement> MeasureAsync(Peer peer, RunningAgent agent, TimeSpan duration)
    {
        using OpenConnections connections = await OpenConnections.OpenAsync(peer, count, isCrowd ? count : Math.Min(count, 32));
        var window = new LoadWindow(peer);
        Series roundTrips = await connections.RelayAsync(window, duration, size, inFlight);
        if (roundTrips.Count == 0 || (connections.Failed > 0 && !isCrowd))
            throw new InvalidOperationException($"{peer.Name}, {Name}: {connections.DescribeFailures()}");
        double figure = window.ProcessorTime.TotalMicroseconds / roundTrips.Count;
        string opened = string.Create(CultureInfo.InvariantCulture, $"{connections.DescribeFailures()}; opened in {connections.OpenedIn.TotalSeconds:N1} s; then ");
        (double median, double p99) = (roundTrips.Median.TotalMilliseconds, roundTrips.Percentile(0.99).TotalMilliseconds);
        string times = string.Create(CultureInfo.InvariantCulture, $"a round trip took {median:N1} ms, p99 {p99:N1} ms");
        return new Measurement(figure, isCrowd ? opened + times : times);
    }
}
