using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// How many requests are open, and the age of the oldest, for monitoring. The answer is what was read last, and the registry is read once per
/// <see cref="Interval"/> at most, by one task, while somebody asks.
/// </summary>
/// <param name="registry">The registry.</param>
/// <param name="time">The clock.</param>
internal sealed class OpenRequests(DeviceRegistry registry, TimeProvider time)
{
    /// <summary>How often the registry is read at most.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);

    private const int PageSize = 256;
    private const int MostPages = 64; // what is beyond is not counted

    private readonly Lock _lock = new();
    private TimeMark? _readAt;
    private Task _reading = Task.CompletedTask;
    private volatile Figures? _figures;

    /// <summary>What was read last; null if the registry was not read yet, or could not be.</summary>
    public Figures? Current
    {
        get
        {
            lock (_lock)
            {
                if (_reading.IsCompleted && (_readAt is null || _readAt.Elapsed >= Interval))
                {
                    _readAt = new TimeMark(time);
                    _reading = Task.Run(ReadAsync); // not under the lock
                }
            }

            return _figures;
        }
    }

    private async Task ReadAsync()
    {
        try
        {
            int count = 0;
            DateTimeOffset? oldest = null;
            string? cursor = null;
            for (int page = 0; page < MostPages; page++)
            {
                PagedResult<PairingRequest> read = await registry.ListOpenRequestsAsync(cursor, PageSize, CancellationToken.None);
                count += read.Items.Count;
                foreach (PairingRequest request in read.Items)
                    oldest = oldest is null || request.CreatedAt < oldest ? request.CreatedAt : oldest;
                cursor = read.Next;
                if (cursor is null)
                    break;
            }

            _figures = new Figures(count, oldest);
        }
        catch (Exception)
        {
            _figures = null; // the calls of the registry are counted, with their outcome
        }
    }

    /// <summary>What was read.</summary>
    /// <param name="Count">How many are open.</param>
    /// <param name="Oldest">When the oldest was made, by the registry's clock; null if there is none.</param>
    internal sealed record Figures(int Count, DateTimeOffset? Oldest);
}
