using System.Globalization;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// Remembers names that were used, in the memory of this process: for stores of which no other process is a user. It is bounded, and forgets nothing before its
/// time: when it is full, it takes no more. Thread-safe.
/// </summary>
/// <param name="time">The clock.</param>
public sealed class ReplayMarks(TimeProvider time)
{
    /// <summary>How many marks there are at most, of all devices together: some 50 MiB.</summary>
    public const int Most = 1 << 19;

    private const int ForgottenAtOnce = 8;

    private readonly Lock _lock = new();
    private readonly Dictionary<UInt128, Entry> _marks = [];
    private readonly Queue<UInt128> _order = [];
    private readonly Dictionary<DeviceId, Share> _shares = [];

    /// <summary>Since when names are remembered: they do not outlive this object.</summary>
    public DateTimeOffset Since { get; } = time.GetUtcNow();

    /// <summary>For tests: the bound of all, and of a known device.</summary>
    internal (int InAll, int OfKnownDevice) Bounds { get; init; } = (Most, UseOnce.MostOfKnownDevice);

    /// <summary>How many marks there are, with those that are about to be forgotten.</summary>
    internal int Count
    {
        get
        {
            lock (_lock)
            {
                return _marks.Count;
            }
        }
    }

    /// <summary>Marks a name as used beside the document that was read, if there is one.</summary>
    /// <param name="device">The device.</param>
    /// <param name="once">The name.</param>
    /// <param name="stored">What was read.</param>
    /// <exception cref="RegistryUnavailableException">There is no room for it: nothing was marked.</exception>
    public UseMark Mark(DeviceId device, UseOnce once, StoredDevice stored)
    {
        if (stored.Damage is null && stored.Record is null)
            return UseMark.None;
        bool isKnown = stored.Damage is null && stored.Record!.IsListed;
        return TryUse(device, once, isKnown) ? UseMark.Made : UseMark.UsedBefore;
    }

    /// <summary>Marks a name as used.</summary>
    /// <param name="device">The device.</param>
    /// <param name="once">The name.</param>
    /// <param name="isKnown">Whether something is approved for the device, or it is blocked.</param>
    /// <returns>Whether it is marked now; false if it was before.</returns>
    /// <exception cref="RegistryUnavailableException">There is no room for it: nothing was marked.</exception>
    public bool TryUse(DeviceId device, UseOnce once, bool isKnown)
    {
        ArgumentNullException.ThrowIfNull(once);
        var key = UInt128.Parse(once.MarkOf(device), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        lock (_lock)
        {
            Forget(ForgottenAtOnce);
            bool isThere = _marks.TryGetValue(key, out Entry mark);
            if (isThere && !IsOver(mark))
                return false;
            if (!isThere)
            {
                Share share = ShareOf(device, isKnown ? Bounds.OfKnownDevice : UseOnce.MostOfOtherDevice);
                share.Marks++;
                _order.Enqueue(key);
                mark = new Entry(share, default, default);
            }

            _marks[key] = mark with
            {
                Until = time.GetUtcNow() + once.Period,
                UntilTimestamp = time.GetTimestamp() + (long)(once.Period.TotalSeconds * time.TimestampFrequency),
            };
            return true;
        }
    }

    // There is room, or it throws.
    private Share ShareOf(DeviceId device, int most)
    {
        if (_marks.Count >= Bounds.InAll || _shares.GetValueOrDefault(device)?.Marks >= most)
            Forget(int.MaxValue);
        if (_marks.Count >= Bounds.InAll)
            throw new RegistryUnavailableException($"{_marks.Count} proofs were used within the time for which they must be remembered; no more can be.");
        if (!_shares.TryGetValue(device, out Share? share))
            _shares[device] = share = new Share(device);
        return share.Marks < most
            ? share
            : throw new RegistryUnavailableException($"{share.Marks} proofs of the device were used within the time for which they must be remembered.") { IsContended = true };
    }

    // By both clocks: one stands still while the machine sleeps, the other may be set. A mark that went too early would let its proof in again.
    private bool IsOver(Entry mark) => time.GetTimestamp() >= mark.UntilTimestamp && time.GetUtcNow() >= mark.Until;

    // The oldest first, up to one that is not over; with equal periods that is all.
    private void Forget(int atMost)
    {
        for (int i = 0; i < atMost && _order.TryPeek(out UInt128 key) && _marks[key] is var mark && IsOver(mark); i++)
        {
            _order.Dequeue();
            _marks.Remove(key);
            if (--mark.Share.Marks == 0)
                _shares.Remove(mark.Share.Device);
        }
    }

    private readonly record struct Entry(Share Share, DateTimeOffset Until, long UntilTimestamp);

    private sealed class Share(DeviceId device)
    {
        public DeviceId Device { get; } = device;

        public int Marks { get; set; }
    }
}
