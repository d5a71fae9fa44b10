using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Overview;

/// <inheritdoc cref="IGateOverview"/>
internal sealed class GateOverview(OverviewRing ring, OverviewDocuments documents, DeviceRegistry registry, SessionTable sessions, TimeProvider time) : IGateOverview
{
    private static readonly TimeSpan LiveFor = TimeSpan.FromSeconds(100); // a gateway writes every 30 s

    private readonly Lock _lock = new();
    private Task<int>? _counting;
    private TimeMark? _countedAt;

    public async ValueTask<OverviewReport> ReadAsync(int hours, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(hours, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(hours, IGateOverview.MaxHours);
        long last = ring.Now;
        long first = last - (hours * OverviewRing.PerHour) + 1;
        Task<IReadOnlyList<OverviewOfOthers>> reading = documents.ReadAsync(first / OverviewRing.PerHour, last / OverviewRing.PerHour, cancellationToken);
        int? openRequests = await CountRequestsAsync(cancellationToken);
        IReadOnlyList<OverviewOfOthers>? others = await OrNullAsync(reading);

        var buckets = new SortedDictionary<long, OverviewCounts>();
        foreach ((long number, OverviewCounts counts) in ring.Read(first, last))
            buckets[number] = counts;
        foreach (StoredBucket stored in (others ?? []).SelectMany(o => o.Counted.Buckets).Where(b => b.Number >= first && b.Number <= last))
        {
            if (!buckets.TryGetValue(stored.Number, out OverviewCounts? sum))
                buckets[stored.Number] = sum = new OverviewCounts();
            sum.Add(OverviewCounts.Of(stored));
        }

        var all = new OverviewCounts();
        foreach (OverviewCounts counts in buckets.Values)
            all.Add(counts);
        OverviewGateway[] running =
        [
            new(documents.Gateway, sessions.Count, SecondsAgo: 0),
            .. (others ?? []).GroupBy(o => o.Process).Select(g => g.MaxBy(o => o.Counted.Hour)!).Where(o => !o.Counted.Left && o.Age < LiveFor)
                .Select(o => new OverviewGateway(o.Counted.Gateway, Math.Clamp(o.Counted.Sessions, 0, OverviewCounts.Most), (int)Math.Max(0, o.Age.TotalSeconds)))
                .OrderBy(g => g.Name, StringComparer.Ordinal),
        ];
        return new OverviewReport(
            OverviewRing.StartOf(first),
            OverviewRing.StartOf(last + 1),
            (int)OverviewRing.Bucket.TotalSeconds,
            all.Admissions,
            ByReason(all),
            all.RequestsOpened,
            running.Sum(g => g.Sessions),
            openRequests,
            [.. running],
            [.. buckets.Select(b => View(b.Key, b.Value))])
        {
            ThisGatewayAlone = others is null ? true : null,
        };
    }

    private async ValueTask<int?> CountRequestsAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await CountRequests().WaitAsync(cancellationToken);
        }
        catch (RegistryUnavailableException)
        {
            return null;
        }
    }

    // They are listed as often as the documents are read, however many operators look.
    private Task<int> CountRequests()
    {
        lock (_lock)
        {
            if (_counting is null || (_counting.IsCompleted && _countedAt!.Elapsed >= OverviewDocuments.FreshFor))
            {
                _countedAt = new TimeMark(time);
                _counting = Task.Run(() => OverviewSampler.CountRequestsAsync(registry, CancellationToken.None).AsTask()); // not under the lock, nor with a caller's token
            }

            return _counting;
        }
    }

    private static async Task<IReadOnlyList<OverviewOfOthers>?> OrNullAsync(Task<IReadOnlyList<OverviewOfOthers>> reading)
    {
        try
        {
            return await reading;
        }
        catch (RegistryUnavailableException)
        {
            return null;
        }
    }

    private static OverviewBucket View(long number, OverviewCounts counts) => new(
        OverviewRing.StartOf(number),
        counts.Admissions,
        ByReason(counts),
        counts.RequestsOpened,
        counts.Sessions,
        counts.OpenRequests,
        counts.Looks,
        counts.FailedLooks,
        counts.SlowestMilliseconds);

    private static Dictionary<string, long> ByReason(OverviewCounts counts)
    {
        var reasons = new Dictionary<string, long>();
        for (int i = 0; i < counts.Refusals.Length; i++)
        {
            if (counts.Refusals[i] > 0)
                reasons.Add(RefusalReasons.All[i], counts.Refusals[i]);
        }

        return reasons;
    }
}
