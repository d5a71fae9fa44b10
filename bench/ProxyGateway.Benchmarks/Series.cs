using System.Diagnostics;

namespace ProxyGateway.Benchmarks;

/// <summary>How long each of many calls took.</summary>
internal sealed class Series
{
    private readonly List<long> _ticks = [];
    private bool _isSorted;

    public int Count => _ticks.Count;

    /// <summary>Calls in a second, one after the other.</summary>
    public double PerSecond => Count / Stopwatch.GetElapsedTime(0, _ticks.Sum()).TotalSeconds;

    public TimeSpan Median => Percentile(0.5);

    public async Task MeasureAsync(Func<ValueTask> call)
    {
        long started = Stopwatch.GetTimestamp();
        await call();
        Add(Stopwatch.GetTimestamp() - started);
    }

    /// <param name="ticks">What a call took, in the stopwatch's ticks.</param>
    public void Add(long ticks)
    {
        _ticks.Add(ticks);
        _isSorted = false;
    }

    public void Add(Series other)
    {
        _ticks.AddRange(other._ticks);
        _isSorted = false;
    }

    public TimeSpan Percentile(double part)
    {
        if (!_isSorted)
            _ticks.Sort();
        _isSorted = true;
        return Stopwatch.GetElapsedTime(0, _ticks[(int)(part * (Count - 1))]);
    }
}
