using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Overview;

/// <summary>The counts of one bucket. Not thread-safe.</summary>
internal sealed class OverviewCounts
{
    /// <summary>The largest count that is stored, so that a document has a bounded size.</summary>
    public const int Most = 999_999_999;

    public long Admissions { get; set; }

    /// <summary>By the number of the reason.</summary>
    public long[] Refusals { get; } = new long[RefusalReasons.All.Length];

    public long RequestsOpened { get; set; }

    /// <summary>The most live sessions that a look has found.</summary>
    public long Sessions { get; set; }

    /// <summary>The most open requests that a look has found; null if none has.</summary>
    public int? OpenRequests { get; set; }

    public long Looks { get; set; }

    public long FailedLooks { get; set; }

    public int SlowestMilliseconds { get; set; }

    /// <summary>Adds the counts of another gateway. Both look at the same registry, so its open requests are not added up.</summary>
    public void Add(OverviewCounts other)
    {
        Admissions += other.Admissions;
        for (int i = 0; i < Refusals.Length; i++)
            Refusals[i] += other.Refusals[i];
        RequestsOpened += other.RequestsOpened;
        Sessions += other.Sessions;
        OpenRequests = other.OpenRequests is { } open ? Math.Max(OpenRequests ?? 0, open) : OpenRequests;
        Looks += other.Looks;
        FailedLooks += other.FailedLooks;
        SlowestMilliseconds = Math.Max(SlowestMilliseconds, other.SlowestMilliseconds);
    }

    public OverviewCounts Copy()
    {
        var copy = new OverviewCounts();
        copy.Add(this);
        return copy;
    }

    public StoredBucket Store(long number) => new()
    {
        Number = number,
        Admissions = Bound(Admissions),
        Refusals = [.. Refusals.Select(Bound)],
        RequestsOpened = Bound(RequestsOpened),
        Sessions = Bound(Sessions),
        OpenRequests = OpenRequests,
        Looks = Bound(Looks),
        FailedLooks = Bound(FailedLooks),
        SlowestMilliseconds = Bound(SlowestMilliseconds),
    };

    public static OverviewCounts Of(StoredBucket stored)
    {
        var counts = new OverviewCounts
        {
            Admissions = Bound(stored.Admissions),
            RequestsOpened = Bound(stored.RequestsOpened),
            Sessions = Bound(stored.Sessions),
            OpenRequests = stored.OpenRequests is { } open ? Bound(open) : null,
            Looks = Bound(stored.Looks),
            FailedLooks = Bound(stored.FailedLooks),
            SlowestMilliseconds = Bound(stored.SlowestMilliseconds),
        };
        ImmutableArray<int> refusals = stored.Refusals.IsDefault ? [] : stored.Refusals;
        for (int i = 0; i < refusals.Length; i++)
            counts.Refusals[Math.Min(i, counts.Refusals.Length - 1)] += Bound(refusals[i]); // a newer gateway's reasons are others
        return counts;
    }

    private static int Bound(long count) => (int)Math.Clamp(count, 0, Most);
}
