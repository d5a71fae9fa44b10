namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>Something that is read again once in a while, however often it is asked for, and by one reader for all who ask.</summary>
/// <typeparam name="T">What is read.</typeparam>
/// <param name="read">Reads it.</param>
/// <param name="interval">How long what was read counts, or the failure to read it.</param>
/// <param name="time">The clock.</param>
internal sealed class Renewed<T>(Func<Task<T>> read, TimeSpan interval, TimeProvider time)
{
    private readonly Lock _lock = new();
    private Task<T>? _reading;
    private TimeMark _readAt = new(time);

    /// <summary>What was read last, or is being read.</summary>
    public Task<T> GetAsync()
    {
        lock (_lock)
        {
            if (_reading is null || (_reading.IsCompleted && _readAt.Elapsed >= interval))
                (_readAt, _reading) = (new TimeMark(time), read());
            return _reading;
        }
    }
}
