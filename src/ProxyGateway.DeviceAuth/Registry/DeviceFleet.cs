using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>Changes many devices one after the other, each in its own swap, so that the whole may be repeated.</summary>
/// <param name="registry">The registry.</param>
/// <param name="time">Avoids a second read of devices that were seen recently; forgetting is decided by the store's time.</param>
public sealed class DeviceFleet(DeviceRegistry registry, TimeProvider time)
{
    private const int ReadAtOnce = 200;

    // In parts: the client waits for the answer, and a change may take long. Each page is twice the previous one, so that none takes longer
    // than all before it.
    private const int ReadFirstInPart = 8;
    private static readonly TimeSpan LongestPart = TimeSpan.FromSeconds(5);

    /// <summary>An operator imports a device.</summary>
    /// <param name="device">The device.</param>
    /// <param name="dryRun">Whether only to report what would happen.</param>
    /// <param name="by">The operator.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <exception cref="RegistryUnavailableException">It is unknown whether it was written; it may be repeated.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; some may have been written.</exception>
    public async ValueTask<ImportOutcome> ImportAsync(
        ImportedDevice device, bool dryRun, Operator by, PairingRules rules, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(rules);
        ImportOutcome outcome = default;
        var operation = new AuditEntry { Kind = AuditKinds.DeviceImported, DeviceId = device.Id, Note = device.Label };
        await registry.WriteAsync(
            device.Id,
            stored =>
            {
                if (stored.Damage is NewerDocumentException)
                {
                    outcome = ImportOutcome.NewerFormat;
                    return null;
                }

                (outcome, DeviceRecord? next) = DeviceImport.Apply(stored.Record, device, by, rules.Policy.Implications, stored.Now);
                return next is null || dryRun ? null : new Decision(DecisionOutcome.Done, next);
            },
            operation,
            by,
            rules,
            cancellationToken);
        return outcome;
    }

    /// <summary>An operator takes back all approvals of one rule.</summary>
    /// <param name="rule">The rule's name.</param>
    /// <param name="dryRun">Whether only to count.</param>
    /// <param name="by">The operator.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Cancels between two devices.</param>
    /// <param name="cursor">The start: the <see cref="RemovedByRule.Next"/> of the previous part; null for the first device.</param>
    /// <param name="limit">
    /// The number of devices after which to stop (at the latest after five seconds); null: only at the end. 1 or more.
    /// </param>
    /// <exception cref="RegistryUnavailableException">Some may have been written; it may be repeated.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; some may have been written.</exception>
    public async Task<RemovedByRule> RemoveByRuleAsync(
        string rule, bool dryRun, Operator by, PairingRules rules, CancellationToken cancellationToken, string? cursor = null, int? limit = null)
    {
        ArgumentNullException.ThrowIfNull(rules);
        long began = time.GetTimestamp();
        var removed = new RemovedByRule(0, 0);
        int atOnce = limit is null ? ReadAtOnce : ReadFirstInPart;
        do
        {
            int count = limit is null ? atOnce : Math.Min(atOnce, limit.Value - removed.Removed - removed.Narrowed);
            atOnce = Math.Min(2 * atOnce, ReadAtOnce);
            PagedResult<DeviceRecord> page = await registry.ListDevicesAsync(cursor, count, cancellationToken);
            removed = await RemoveByRuleAsync(removed, page.Items, rule, dryRun, by, rules, cancellationToken);
            removed = removed with { NewerFormat = removed.NewerFormat + page.Newer.Count };
            cursor = page.Next;
        }
        while (cursor is not null && (limit is null || (removed.Removed + removed.Narrowed < limit && time.GetElapsedTime(began) < LongestPart)));
        return removed with { Next = cursor };
    }

    /// <summary>
    /// Forgets what only rules have approved in an audience, for devices that were not seen for a time. Returns of how many devices.
    /// </summary>
    /// <param name="unseenFor">The time: more than zero.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="cancellationToken">Cancels between two devices.</param>
    /// <exception cref="RegistryUnavailableException">Some may have been written; it may be repeated.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled; some may have been written.</exception>
    public async Task<int> ForgetIdleAsync(TimeSpan unseenFor, PairingRules rules, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(rules);
        int forgotten = 0;
        await foreach (DeviceRecord record in ReadAllAsync(cancellationToken))
        {
            if (record.Grants.GroupBy(g => g.Key.Audience).All(a => a.Any(g => g.Value.RoleRule is null)) || record.LastSeenAt > time.GetUtcNow() - unseenFor)
                continue;
            var operation = new AuditEntry { Kind = AuditKinds.DeviceForgotten, DeviceId = record.Id };
            Decision? decision = await registry.WriteAsync(
                record.Id,
                stored => stored is { Damage: not NewerDocumentException, Record: { } found } && Transitions.ForgetIdle(found, stored.Now - unseenFor, stored.Now, rules.Lifetimes) is { } next
                    ? new Decision(DecisionOutcome.Done, next)
                    : null,
                operation,
                by: null,
                rules,
                cancellationToken);
            forgotten += decision is null ? 0 : 1;
        }

        return forgotten;
    }

    private async Task<RemovedByRule> RemoveByRuleAsync(
        RemovedByRule removed, IReadOnlyList<DeviceRecord> records, string rule, bool dryRun, Operator by, PairingRules rules, CancellationToken cancellationToken)
    {
        var change = new DeviceChange.RemoveByRule(rule);
        foreach (DeviceRecord record in records)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!record.Grants.Values.Any(g => g.HasPartOf(rule)))
                continue;
            bool keepsSome = record.Legacy || record.Grants.Values.Any(g => g.Without(rule) is not null);
            if (!dryRun)
            {
                try
                {
                    if (await registry.ChangeAsync(record.Id, change, by, rules, CancellationToken.None) is not { Outcome: DecisionOutcome.Done } done)
                        continue;
                    keepsSome = done.Record.IsPaired;
                }
                catch (NewerDocumentException)
                {
                    // a newer gateway has written it since the page was read
                    removed = removed with { NewerFormat = removed.NewerFormat + 1 };
                    continue;
                }
            }

            removed = keepsSome ? removed with { Narrowed = removed.Narrowed + 1 } : removed with { Removed = removed.Removed + 1 };
        }

        return removed;
    }

    private async IAsyncEnumerable<DeviceRecord> ReadAllAsync(
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? cursor = null;
        do
        {
            PagedResult<DeviceRecord> page = await registry.ListDevicesAsync(cursor, ReadAtOnce, cancellationToken);
            foreach (DeviceRecord record in page.Items)
                yield return record;
            cursor = page.Next;
        }
        while (cursor is not null);
    }
}
