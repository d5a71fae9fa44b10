using System.Diagnostics.Metrics;

namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>
/// Measures, whatever becomes of it. Whoever listens to an instrument runs within the call that records, and may throw: then a removed device would keep its
/// sessions, since the one that was counted first ended the rest, and a refused one its place.
/// </summary>
internal static class Recording
{
    /// <summary>Adds to a counter; a listener's exception is dropped.</summary>
    public static void TryAdd(this Counter<long> counter, long count, params ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        try
        {
            counter.Add(count, tags);
        }
        catch (Exception)
        {
            // The listener's loss.
        }
    }

    /// <summary>Records in a histogram; a listener's exception is dropped.</summary>
    public static void TryRecord(this Histogram<double> histogram, double value, params ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        try
        {
            histogram.Record(value, tags);
        }
        catch (Exception)
        {
            // The listener's loss.
        }
    }
}
