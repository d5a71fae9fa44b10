using System.Security.Cryptography;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Overview;

/// <summary>
/// The counts of all gateways in the registry: a group of documents for each hour, and in it one of each process. A document goes a day after its hour, so
/// those of processes that have ended go by themselves.
/// </summary>
internal sealed class OverviewDocuments(TimeProvider time, ISharedDocumentStore? store)
{
    /// <summary>How long the answer of the registry is shown.</summary>
    public static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan PastFreshFor = TimeSpan.FromMinutes(1); // an hour that is over hardly changes

    private readonly string _process = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
    private readonly string _gateway = Environment.MachineName is { Length: > StoredOverview.MaxGateway } name ? name[..StoredOverview.MaxGateway] : Environment.MachineName;
    private readonly Dictionary<long, Written> _written = []; // touched by the one task that writes
    private readonly Lock _lock = new();
    private readonly Dictionary<long, Reading> _readings = [];

    /// <summary>The name of this gateway's machine.</summary>
    public string Gateway => _gateway;

    /// <summary>Whether there is a place for documents of gateways.</summary>
    public bool AreKept => store is not null;

    private ISharedDocumentStore Store =>
        store ?? throw new RegistryUnavailableException("The registry's store keeps no documents that gateways share.");

    /// <summary>Writes what this process has counted in an hour. One call at a time.</summary>
    /// <param name="hour">The hour.</param>
    /// <param name="buckets">Its buckets.</param>
    /// <param name="sessions">Live sessions now.</param>
    /// <param name="isLast">Whether the process is about to end.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RegistryUnavailableException">The registry cannot be reached, or has too many documents of this hour.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task WriteAsync(
        long hour, IEnumerable<(long Number, OverviewCounts Counts)> buckets, int sessions, bool isLast, CancellationToken cancellationToken)
    {
        DateTimeOffset now = time.GetUtcNow();
        foreach (long old in _written.Keys.Where(h => h <= (OverviewRing.NumberAt(now) / OverviewRing.PerHour) - OverviewRing.Hours).ToArray())
            _written.Remove(old);
        Written written = _written.TryGetValue(hour, out Written? known) ? known : await FindAsync(hour, now, cancellationToken);
        SharedDocument next = Document(written);
        bool isSwapped = await Store.SwapAsync(written.Version, next, cancellationToken);
        if (!isSwapped)
        {
            // Nobody else writes it: an answer was lost, or the registry has lost the document.
            written = await FindAsync(hour, now, cancellationToken);
            next = Document(written);
            isSwapped = await Store.SwapAsync(written.Version, next, cancellationToken);
        }

        if (!isSwapped)
            throw new RegistryUnavailableException("The overview's document changes faster than it can be read.") { IsContended = true };
        _written[hour] = written with { Version = next.Version };

        SharedDocument Document(Written at)
        {
            DateTimeOffset storeNow = now + at.StoreIsAhead;
            TimeSpan left = OverviewRing.StartOf((hour + OverviewRing.Hours) * OverviewRing.PerHour) - now;
            var content = new StoredOverview
            {
                Hour = hour,
                Gateway = _gateway,
                WrittenAt = storeNow,
                Sessions = sessions,
                Left = isLast,
                Buckets = [.. buckets.Select(b => b.Counts.Store(b.Number))],
            };
            return new SharedDocument(GroupOf(hour), NameOf(hour), content.Serialize(), storeNow + left);
        }
    }

    /// <summary>What the other processes have counted, and the registry's time. It is read once in two seconds at most.</summary>
    /// <param name="firstHour">The first hour.</param>
    /// <param name="lastHour">The last hour; at most <see cref="OverviewRing.Hours"/> of them.</param>
    /// <param name="cancellationToken">The caller stops waiting.</param>
    /// <exception cref="RegistryUnavailableException">The registry cannot be reached.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<IReadOnlyList<OverviewOfOthers>> ReadAsync(long firstHour, long lastHour, CancellationToken cancellationToken)
    {
        var tasks = new List<Task<IReadOnlyList<OverviewOfOthers>>>();
        lock (_lock)
        {
            foreach (long old in _readings.Keys.Where(h => h <= lastHour - OverviewRing.Hours || h > lastHour).ToArray())
                _readings.Remove(old);
            for (long hour = firstHour; hour <= lastHour; hour++)
                tasks.Add(Look(hour, isPast: hour < lastHour - 1));
        }

        return [.. (await Task.WhenAll(tasks).WaitAsync(cancellationToken)).SelectMany(others => others)];
    }

    private Task<IReadOnlyList<OverviewOfOthers>> Look(long hour, bool isPast)
    {
        if (_readings.TryGetValue(hour, out Reading? reading))
        {
            TimeSpan freshFor = isPast && !reading.Task.IsFaulted ? PastFreshFor : FreshFor;
            if (!reading.Task.IsCompleted || reading.At.Elapsed < freshFor)
                return reading.Task;
        }

        Task<IReadOnlyList<OverviewOfOthers>> task = Task.Run(() => ReadAsync(hour)); // not under the lock, nor with a caller's token: others wait for the same
        _readings[hour] = new Reading(new TimeMark(time), task);
        return task;
    }

    private async Task<IReadOnlyList<OverviewOfOthers>> ReadAsync(long hour)
    {
        SharedDocuments found = await Store.ListAsync(GroupOf(hour), CancellationToken.None);
        return
        [
            .. from document in found.Items
               where document.Name != NameOf(hour)
               let counted = StoredOverview.Parse(document)
               where counted?.Hour == hour
               select new OverviewOfOthers(document.Name, counted, found.Now - counted.WrittenAt),
        ];
    }

    private async Task<Written> FindAsync(long hour, DateTimeOffset now, CancellationToken cancellationToken)
    {
        SharedDocuments found = await Store.ListAsync(GroupOf(hour), cancellationToken);
        return new Written(found.Items.FirstOrDefault(d => d.Name == NameOf(hour))?.Version, found.Now - now);
    }

    private string NameOf(long hour) => $"{_process}-{hour}";

    private static string GroupOf(long hour) => $"overview-{hour % OverviewRing.Hours}";

    private sealed record Written(string? Version, TimeSpan StoreIsAhead);

    private sealed record Reading(TimeMark At, Task<IReadOnlyList<OverviewOfOthers>> Task);
}
