using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Redis;

/// <summary>
/// Why there is no connection: the last known cause. The client library logs causes from the first attempt on; its later exceptions often
/// have none. Its log lines are not passed on.
/// </summary>
/// <param name="onCause">Called with each cause when it is noted.</param>
internal sealed class ConnectTrouble(Action<Cause> onCause) : ILoggerFactory, ILogger
{
    private volatile Cause? _last;

    /// <summary>The last known cause; null if there was none, or a connection since.</summary>
    public Cause? Last => _last;

    /// <summary>An attempt failed, or a connection broke.</summary>
    public void Note(Exception? exception)
    {
        if (exception is null || Failure.CauseOf(exception) is not { } cause)
            return;
        _last = cause;
        onCause(cause);
    }

    /// <summary>There is a connection.</summary>
    public void Clear() => _last = null;

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => this;

    /// <inheritdoc/>
    public void AddProvider(ILoggerProvider provider)
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    IDisposable? ILogger.BeginScope<TState>(TState state) => null;

    bool ILogger.IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

    void ILogger.Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Note(exception);
}
