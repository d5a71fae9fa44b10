using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>
/// This gateway's own keys of assertions. The private parts are in memory alone; the public ones are announced in the registry, where every gateway finds those of all.
/// A key signs only once it was announced for <see cref="Notice"/>: else a backend would get an assertion whose key it cannot find. While there is none, none is made.
/// </summary>
internal sealed partial class AssertionKeys(AssertionKeySet all, TimeProvider time, ILogger<AssertionKeys> logger) : BackgroundService
{
    /// <summary>How long a key is announced before it signs.</summary>
    public static readonly TimeSpan Notice = TimeSpan.FromSeconds(60);

    /// <summary>The age of a key at which its successor is made.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromHours(24);

    /// <summary>How often this gateway looks after its keys.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    // A key is announced again and again, so that it stays for an hour after it has signed last, even if its gateway is killed, and not much longer.
    private static readonly TimeSpan Renewal = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan LongestUse = AssertionKeySet.Stay - Renewal;

    private readonly TaskCompletionSource _wanted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PeriodicTimer _timer = new(Interval, time);
    private readonly Throttle _throttle = Throttle.OncePerMinute(time);
    private volatile OwnKey[] _own = []; // the oldest first; changed by one task alone

    /// <summary>The key that signs now; null if none was announced for long enough.</summary>
    public AssertionKey? Current => Array.FindLast(_own, IsUsable)?.Key;

    /// <summary>The age of that key; null if there is none.</summary>
    public TimeSpan? CurrentAge => Array.FindLast(_own, IsUsable)?.MadeAt.Elapsed;

    /// <summary>The key that signs now.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
    public Task<AssertionKey> GetAsync() => Current is { } key
        ? Task.FromResult(key)
        : throw new InvalidDataException($"no key of this gateway has been in the registry for {Notice.TotalSeconds} s");

    /// <summary>From now on there is a key: a route signs.</summary>
    public void Want() => _wanted.TrySetResult();

    public override void Dispose()
    {
        _timer.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _wanted.Task.WaitAsync(stoppingToken);
        do
        {
            try
            {
                await TendAsync(stoppingToken);
            }
            catch (RegistryUnavailableException e)
            {
                if (_throttle.TryPass())
                    LogNotAnnounced(e.Message);
            }
        }
        while (await _timer.WaitForNextTickAsync(stoppingToken));
    }

    /// <summary>Makes and announces keys, as it is time.</summary>
    /// <exception cref="RegistryUnavailableException">The registry is away.</exception>
    internal async Task TendAsync(CancellationToken cancellationToken)
    {
        SharedDocuments announced = await all.Store.ListAsync(AssertionKeySet.Group, cancellationToken);
        if (_own is [] || _own[^1].MadeAt.Elapsed >= Life)
            _own = [.. _own, new OwnKey(new AssertionKey(), new TimeMark(time))];
        for (int i = 0; i < _own.Length; i++)
            await AnnounceAsync(i, announced, cancellationToken);
        int current = Array.FindLastIndex(_own, IsUsable);
        if (current > 0)
            _own = _own[current..];
    }

    private async Task AnnounceAsync(int index, SharedDocuments announced, CancellationToken cancellationToken)
    {
        OwnKey own = _own[index];
        SharedDocument? there = announced.Items.FirstOrDefault(d => d.Name == own.Key.Id);
        if (there is null)
            Replace(index, own = own with { AnnouncedAt = null, RenewedAt = null }); // it is new, or the registry has lost it: backends may not find it
        var before = new TimeMark(time);
        if (there is null || there.ExpiresAt - announced.Now < LongestUse)
        {
            var next = new SharedDocument(AssertionKeySet.Group, own.Key.Id, own.Key.Jwk, announced.Now + AssertionKeySet.Stay);
            if (!await all.Store.SwapAsync(there?.Version, next, cancellationToken))
                return;
            own = own with { RenewedAt = before };
        }

        Replace(index, own with { AnnouncedAt = own.AnnouncedAt ?? time.GetTimestamp(), RenewedAt = own.RenewedAt ?? before });
    }

    private void Replace(int index, OwnKey own) => _own = [.. _own[..index], own, .. _own[(index + 1)..]];

    private bool IsUsable(OwnKey own) =>
        own is { AnnouncedAt: { } announcedAt, RenewedAt: { } renewedAt } && time.GetElapsedTime(announcedAt) >= Notice && renewedAt.Elapsed < LongestUse;

    [LoggerMessage(1231, LogLevel.Warning, "The key that signs what backends hear of devices (DeviceAssertion) cannot be announced now: {Reason} Requests are not forwarded on such routes while none was announced for a minute.")]
    private partial void LogNotAnnounced(string reason);

    /// <param name="Key">The key.</param>
    /// <param name="MadeAt">When it was made.</param>
    /// <param name="AnnouncedAt">Since when it is in the registry; null: it is not. By the clock that stands still in sleep, so that it is never used too early.</param>
    /// <param name="RenewedAt">When it was last written there.</param>
    private sealed record OwnKey(AssertionKey Key, TimeMark MadeAt, long? AnnouncedAt = null, TimeMark? RenewedAt = null);
}
