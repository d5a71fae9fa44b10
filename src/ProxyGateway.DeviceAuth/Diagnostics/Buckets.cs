using System.Diagnostics.Metrics;

namespace ProxyGateway.DeviceAuth.Diagnostics;

/// <summary>The bounds of histograms, in seconds.</summary>
internal static class Buckets
{
    /// <summary>From what a registry in memory takes to the time-outs.</summary>
    public static readonly InstrumentAdvice<double> OfCalls = new()
    {
        HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    };

    /// <summary>From a plain request to a session of weeks.</summary>
    public static readonly InstrumentAdvice<double> OfSessions = new()
    {
        HistogramBucketBoundaries = [0.01, 0.1, 1, 10, 60, 300, 900, 3600, 14400, 43200, 86400, 604800],
    };

    /// <summary>From a change through this gateway to one that was heard of at the next sweep.</summary>
    public static readonly InstrumentAdvice<double> OfRevocations = new()
    {
        HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    };
}
