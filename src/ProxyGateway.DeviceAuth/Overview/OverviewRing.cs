using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Overview;

/// <summary>
/// What this process has counted in the last day: a ring of buckets of five minutes, by the wall clock. An admission is counted where its audit entry is made,
/// so the counts agree with the audit. If the clock is set, counting goes on in the bucket of the new time.
/// </summary>
internal sealed class OverviewRing(TimeProvider time) : IAuditTally
{
    /// <summary>How many buckets an hour has.</summary>
    public const int PerHour = 12;

    /// <summary>How many hours are kept: 24 whole ones, and the one that has begun.</summary>
    public const int Hours = 25;

    /// <summary>How long a bucket is.</summary>
    public static readonly TimeSpan Bucket = TimeSpan.FromMinutes(5);

    private readonly Lock _lock = new();
    private readonly Slot[] _slots = new Slot[Hours * PerHour];

    /// <summary>The number of the present bucket: five minutes since 1970.</summary>
    public long Now => NumberAt(time.GetUtcNow());

    public static long NumberAt(DateTimeOffset at) => at.ToUnixTimeSeconds() / (long)Bucket.TotalSeconds;

    public static DateTimeOffset StartOf(long number) => DateTimeOffset.FromUnixTimeSeconds(number * (long)Bucket.TotalSeconds);

    /// <inheritdoc/>
    public void Count(AuditEntry entry)
    {
        int refusal = RefusalReasons.Of(entry) is { } reason ? RefusalReasons.All.IndexOf(reason) : -1;
        if (refusal < 0 && entry.Kind is not (AuditKinds.DeviceAdmitted or AuditKinds.RequestOpened))
            return;
        lock (_lock)
        {
            OverviewCounts counts = Present();
            if (refusal >= 0)
                counts.Refusals[refusal]++;
            else if (entry.Kind == AuditKinds.DeviceAdmitted)
                counts.Admissions++;
            else
                counts.RequestsOpened++;
        }
    }

    /// <summary>Notes what a look has found.</summary>
    /// <param name="sessions">Live sessions.</param>
    /// <param name="openRequests">Open requests; null if they were not counted.</param>
    /// <param name="answeredIn">How long the registry took to answer; null if it did not.</param>
    public void Note(int sessions, int? openRequests, TimeSpan? answeredIn)
    {
        lock (_lock)
        {
            OverviewCounts counts = Present();
            counts.Sessions = Math.Max(counts.Sessions, sessions);
            if (openRequests is { } open)
                counts.OpenRequests = Math.Max(counts.OpenRequests ?? 0, open);
            counts.Looks++;
            if (answeredIn is { } elapsed)
                counts.SlowestMilliseconds = Math.Max(counts.SlowestMilliseconds, (int)Math.Clamp(Math.Ceiling(elapsed.TotalMilliseconds), 0, OverviewCounts.Most));
            else
                counts.FailedLooks++;
        }
    }

    /// <summary>Copies of the buckets in which something was counted, in order.</summary>
    /// <param name="first">The number of the first.</param>
    /// <param name="last">The number of the last.</param>
    public IReadOnlyList<(long Number, OverviewCounts Counts)> Read(long first, long last)
    {
        lock (_lock)
        {
            return [.. _slots.Where(s => s.Counts is not null && s.Number >= first && s.Number <= last).OrderBy(s => s.Number).Select(s => (s.Number, s.Counts!.Copy()))];
        }
    }

    /// <summary>The hours in which something was counted since this was asked last, among those that are kept.</summary>
    public long[] TakeChangedHours()
    {
        long latest = Now / PerHour;
        lock (_lock)
        {
            var hours = new SortedSet<long>();
            foreach (ref Slot slot in _slots.AsSpan())
            {
                long hour = slot.Number / PerHour;
                if (slot.HasChanged && hour <= latest + 1 && hour > latest - Hours)
                    hours.Add(hour);
                slot.HasChanged = false;
            }

            return [.. hours];
        }
    }

    /// <summary>The hour could not be written, and is to be taken again.</summary>
    public void PutBack(long hour)
    {
        lock (_lock)
        {
            foreach (ref Slot slot in _slots.AsSpan())
                slot.HasChanged |= slot.Counts is not null && slot.Number / PerHour == hour;
        }
    }

    private OverviewCounts Present()
    {
        long number = Now;
        ref Slot slot = ref _slots[number % _slots.Length];
        if (slot.Counts is null || slot.Number != number)
            slot = new Slot { Number = number, Counts = new OverviewCounts() };
        slot.HasChanged = true;
        return slot.Counts;
    }

    private struct Slot
    {
        public long Number;
        public OverviewCounts? Counts;
        public bool HasChanged;
    }
}
