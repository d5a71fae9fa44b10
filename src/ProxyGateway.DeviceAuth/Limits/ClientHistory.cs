namespace ProxyGateway.DeviceAuth.Limits;

/// <summary>
/// What this process remembers of clients, for each of their <see cref="Client.Keys"/>: their rate, their failures, and whether a paired
/// device was admitted from there. Bounded.
/// </summary>
internal sealed class ClientHistory(TimeProvider time)
{
    /// <summary>How many keys of clients are remembered.</summary>
    public const int MostClients = 8192;

    /// <summary>How long the admission of a paired device makes its address familiar.</summary>
    public static readonly TimeSpan FamiliarFor = TimeSpan.FromDays(1);

    private const int MostFailuresCounted = 5;

    private readonly Lock _lock = new();
    private readonly BoundedMemory<Record> _records = new(MostClients);
    private readonly BoundedMemory<Admission> _admissions = new(MostClients); // separate, so that strangers cannot have them forgotten

    /// <summary>Whether a client may begin another handshake; each of its keys has a token bucket for one second.</summary>
    /// <param name="client">The client.</param>
    /// <param name="perSecond">How many may begin from one address in a second.</param>
    public bool TryBegin(Client client, int perSecond)
    {
        lock (_lock)
        {
            Familiarity familiarity = FamiliarityUnderLock(client);
            long now = time.GetTimestamp();
            bool mayBegin = true;
            for (int i = 0; i < client.Keys.Length; i++)
            {
                Record record = See(client.Keys[i].Name);
                int most = client.Keys[i].Budget(perSecond);
                record.Begun = Math.Max(0, record.Begun - (time.GetElapsedTime(record.BegunAt, now).TotalSeconds * most));
                record.BegunAt = now;
                mayBegin &= record.Begun <= familiarity.ShareOf(i, most) - 1;
            }

            if (mayBegin)
            {
                foreach (ClientKey key in client.Keys)
                    See(key.Name).Begun++;
            }

            return mayBegin;
        }
    }

    /// <summary>Counts a failed handshake and returns how long to delay its refusal: the longest delay of the client's keys.</summary>
    /// <param name="client">The client.</param>
    /// <param name="free">How many failures of one address are answered without delay.</param>
    public TimeSpan Fail(Client client, int free)
    {
        lock (_lock)
        {
            TimeSpan longest = TimeSpan.Zero;
            foreach (ClientKey key in client.Keys)
            {
                TimeSpan delay = (See(key.Name).Failures ??= new FailurePacer(time, MostFailuresCounted)).Fail(key.Budget(free));
                longest = delay > longest ? delay : longest;
            }

            return longest;
        }
    }

    /// <summary>A device that was already paired was admitted, so its address is familiar.</summary>
    public void Admitted(Client client)
    {
        lock (_lock)
        {
            foreach (ClientKey key in client.Keys)
                _admissions.See(key.Name, static () => new Admission()).At = time.GetTimestamp();
        }
    }

    /// <summary>The keys of a client from which paired devices were admitted recently.</summary>
    public Familiarity FamiliarityOf(Client client)
    {
        lock (_lock)
        {
            return FamiliarityUnderLock(client);
        }
    }

    /// <summary>
    /// Whether the audit needs another entry that a client is over its budget or of a foreign origin: at most one a minute for the widest
    /// of its keys. A flood of refusals must not become a flood of writes.
    /// </summary>
    public bool IsAuditDue(Client client)
    {
        lock (_lock)
        {
            Record record = See(client.Keys[^1].Name);
            return (record.News ??= Throttle.OncePerMinute(time)).TryPass();
        }
    }

    private Familiarity FamiliarityUnderLock(Client client)
    {
        uint bits = 0;
        for (int i = 0; i < client.Keys.Length; i++)
        {
            if (_admissions.TryGet(client.Keys[i].Name, out Admission admission) && time.GetElapsedTime(admission.At) < FamiliarFor)
                bits |= 1u << i;
        }

        return new Familiarity(bits);
    }

    private Record See(string client) => _records.See(client, static () => new Record());

    private sealed class Record
    {
        public double Begun { get; set; }

        public long BegunAt { get; set; }

        public FailurePacer? Failures { get; set; }

        public Throttle? News { get; set; }
    }

    private sealed class Admission
    {
        public long At { get; set; }
    }
}
