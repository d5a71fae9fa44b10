namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>
/// What is remembered of clients, by <see cref="ClientName"/>: how fast they have come, how often they have failed, and whether a paired
/// device was admitted from there. Bounded, and of this process alone.
/// </summary>
internal sealed class ClientHistory(TimeProvider time)
{
    /// <summary>How many clients are remembered.</summary>
    public const int MostClients = 8192;

    /// <summary>How long the first refusal is held back once a client has failed too often; each further failure doubles it.</summary>
    public static readonly TimeSpan ShortestDelay = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a refusal is held back at most.</summary>
    public static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(5);

    /// <summary>How long it takes until one failure less counts.</summary>
    public static readonly TimeSpan Forgiveness = TimeSpan.FromSeconds(10);

    /// <summary>How long the admission of a paired device makes its address familiar.</summary>
    public static readonly TimeSpan FamiliarFor = TimeSpan.FromDays(1);

    private const int MostDoublings = 5; // with more it would not be held back for longer, only be remembered for longer
    private static readonly TimeSpan TellAgainAfter = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly BoundedMemory<Record> _records = new(MostClients);
    private readonly BoundedMemory<Admission> _admissions = new(MostClients); // apart, so that strangers cannot have them forgotten

    /// <summary>Whether a client may begin another handshake; a token bucket, which holds those of one second.</summary>
    /// <param name="client">The client.</param>
    /// <param name="perSecond">How many it may begin in a second.</param>
    public bool TryBegin(string client, int perSecond)
    {
        lock (_lock)
        {
            Record record = See(client);
            long now = time.GetTimestamp();
            record.Begun = Math.Max(0, record.Begun - (time.GetElapsedTime(record.BegunAt, now).TotalSeconds * perSecond));
            record.BegunAt = now;
            if (record.Begun > perSecond - 1)
                return false;
            record.Begun++;
            return true;
        }
    }

    /// <summary>Counts a handshake that failed, and says how long its refusal is to be held back.</summary>
    /// <param name="client">The client.</param>
    /// <param name="free">How many failures are answered at once.</param>
    public TimeSpan Fail(string client, int free)
    {
        lock (_lock)
        {
            Record record = See(client);
            long now = time.GetTimestamp();
            double forgiven = time.GetElapsedTime(record.FailedAt, now) / Forgiveness;
            record.Failures = Math.Min(free + MostDoublings, Math.Max(0, record.Failures - forgiven) + 1);
            record.FailedAt = now;
            int doublings = (int)Math.Ceiling(record.Failures) - free - 1;
            if (doublings < 0)
                return TimeSpan.Zero;
            TimeSpan delay = ShortestDelay * (1 << doublings);
            return delay < LongestDelay ? delay : LongestDelay;
        }
    }

    /// <summary>A device was admitted that was paired already: its address is no stranger's.</summary>
    public void Admitted(string client)
    {
        lock (_lock)
        {
            _admissions.See(client, static () => new Admission()).At = time.GetTimestamp();
        }
    }

    /// <summary>Whether a paired device was admitted from there of late.</summary>
    public bool IsFamiliar(string client)
    {
        lock (_lock)
        {
            return _admissions.TryGet(client, out Admission admission) && time.GetElapsedTime(admission.At) < FamiliarFor;
        }
    }

    /// <summary>
    /// Whether the audit should hear again that a client is over its budget, or of a foreign origin: at most once a minute. A flood of refusals
    /// must not become a flood of writes.
    /// </summary>
    public bool IsNews(string client)
    {
        lock (_lock)
        {
            Record record = See(client);
            if (record.ToldAt is { } told && time.GetElapsedTime(told) < TellAgainAfter)
                return false;
            record.ToldAt = time.GetTimestamp();
            return true;
        }
    }

    private Record See(string client) => _records.See(client, static () => new Record());

    private sealed class Record
    {
        public double Begun { get; set; }

        public long BegunAt { get; set; }

        public double Failures { get; set; }

        public long FailedAt { get; set; }

        public long? ToldAt { get; set; }
    }

    private sealed class Admission
    {
        public long At { get; set; }
    }
}
