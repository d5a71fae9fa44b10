using System.Globalization;
using ProxyGateway.DeviceAuth.Registry;
using StackExchange.Redis;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// The format of the registry as a whole, under a key of its own: of its keys and scripts, not its documents. A version that changes them
/// writes a greater number there, so that older gateways do not use the old ones beside it. Absent: 1. Read before the first use and about
/// once a second.
/// </summary>
internal sealed class RegistryMark(RedisConnection redis, Keys keys)
{
    /// <summary>The greatest format that this version uses.</summary>
    public const int Format = 1;

    private static readonly TimeSpan ReadEvery = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private long _begun;
    private long _newest;
    private long _readAt = -1;
    private volatile string? _refusal;
    private volatile bool _isRead;

    /// <summary>Reads the format unless it was read already.</summary>
    /// <exception cref="RegistryUnavailableException">This version may not use the registry, or the format cannot be read yet.</exception>
    public ValueTask EnsureAsync(Deadline deadline, CancellationToken cancellationToken)
    {
        if (!_isRead)
            return new ValueTask(ReadAsync(deadline, cancellationToken));
        return _refusal is { } refusal ? throw Refuse(refusal) : default;
    }

    /// <summary>
    /// Reads the format again unless it was read a short time ago. If it cannot be read, the known one stays, and the next second reads
    /// again.
    /// </summary>
    /// <exception cref="RegistryUnavailableException">This version may not use the registry.</exception>
    public async Task RenewAsync(Deadline deadline, CancellationToken cancellationToken)
    {
        long last = Interlocked.Read(ref _readAt);
        if (last >= 0 && Environment.TickCount64 - last < ReadEvery.TotalMilliseconds)
            return;
        try
        {
            await ReadAsync(deadline, cancellationToken);
        }
        catch (RegistryUnavailableException e) when (e.Fault != RegistryFault.NewerFormat)
        {
            Interlocked.Exchange(ref _readAt, Environment.TickCount64);
        }
    }

    /// <summary>Reads the format.</summary>
    /// <inheritdoc cref="EnsureAsync"/>
    public async Task ReadAsync(Deadline deadline, CancellationToken cancellationToken)
    {
        long number = Interlocked.Increment(ref _begun);
        RedisValue value = await redis.RunAsync(database => database.StringGetAsync(keys.Format, RedisConnection.Primary), deadline, cancellationToken);
        bool isKnown = value.IsNull || (int.TryParse((string?)value, NumberStyles.None, CultureInfo.InvariantCulture, out int format) && format is >= 1 and <= Format);
        string? refusal = isKnown ? null : $"The registry has a format that this gateway does not know ({keys.Format} is more than {Format}). Upgrade this gateway.";
        lock (_lock)
        {
            // A later answer has overtaken this one.
            if (number > _newest)
                (_newest, _refusal, _isRead) = (number, refusal, true);
        }

        Interlocked.Exchange(ref _readAt, Environment.TickCount64);
        if (refusal is not null)
            throw Refuse(refusal);
    }

    private static RegistryUnavailableException Refuse(string message) => new(message) { Fault = RegistryFault.NewerFormat };
}
