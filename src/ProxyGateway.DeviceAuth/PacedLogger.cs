using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth;

/// <summary>
/// A log for events that strangers can cause at any rate: it writes a bounded number of lines a minute for each event, and then the number
/// of the rest. The first line with each kind of exception in a minute is always written, so that a flood of one failure does not hide
/// another (a backend that is down behind clients that hang up), and only this one has the stack. The audit and other events are not
/// affected.
/// </summary>
public class PacedLogger(ILogger inner, TimeProvider time) : ILogger, IDisposable
{
    /// <summary>How many lines of one event are written in a minute.</summary>
    public const int LinesPerMinute = 30;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private readonly Lock _lock = new();
    private readonly Dictionary<int, Pace> _paces = [];

    /// <inheritdoc/>
    public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

    /// <inheritdoc/>
    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => inner.BeginScope(state);

    /// <inheritdoc/>
    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!MayWrite(logLevel, eventId, exception, out bool isFirst))
            return;
        if (isFirst || exception is null)
            inner.Log(logLevel, eventId, state, exception, formatter);
        else
            inner.Log(logLevel, eventId, state, null, (s, _) => LogText.With(exception, formatter(s, exception)));
    }

    /// <summary>Writes the counts that were not written yet.</summary>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        Pace[] paces;
        lock (_lock)
        {
            paces = [.. _paces.Values];
            _paces.Clear();
        }

        foreach (Pace pace in paces)
            Tell(pace);
    }

    // Not generic: the native program has a copy of Log for each of a hundred kinds of state.
    private bool MayWrite(LogLevel level, EventId id, Exception? exception, out bool isFirst)
    {
        isFirst = true;

        // Some libraries do not check the level before they log. Lines of a disabled level must not use up the budget. Those beneath Information are enabled
        // only while somebody looks for something.
        return inner.IsEnabled(level) && (level < LogLevel.Information || MayPass(level, id, exception, out isFirst));
    }

    private bool MayPass(LogLevel level, EventId id, Exception? exception, out bool isFirst)
    {
        lock (_lock)
        {
            // Bounded by the number of events in the program.
            if (!_paces.TryGetValue(id.Id, out Pace? pace))
                _paces[id.Id] = pace = new Pace(level, id);
            if (pace.Timer is null)
            {
                pace.Written = 0;
                pace.Kinds.Clear();
                pace.Timer = time.CreateTimer(static p => ((Action)p!)(), () => EndMinute(pace), Minute, Timeout.InfiniteTimeSpan);
            }

            // Bounded by the number of pairs of exception types in the program.
            isFirst = exception is not null && pace.Kinds.Add((exception.GetType(), exception.GetBaseException().GetType()));
            if (isFirst || pace.Written < LinesPerMinute)
            {
                pace.Written++;
                return true;
            }

            pace.LeftOut++;
            return false;
        }
    }

    private void EndMinute(Pace pace)
    {
        lock (_lock)
        {
            pace.Timer?.Dispose();
            pace.Timer = null;
        }

        Tell(pace);
    }

    private void Tell(Pace pace)
    {
        int leftOut;
        lock (_lock)
        {
            leftOut = pace.LeftOut;
            pace.LeftOut = 0;
            pace.Timer?.Dispose();
            pace.Timer = null;
        }

        if (leftOut > 0)
            PacedLog.LeftOut(inner, pace.Level, leftOut, pace.Event.Id, pace.Event.Name);
    }

    private sealed class Pace(LogLevel level, EventId id)
    {
        public LogLevel Level => level;

        public EventId Event => id;

        /// <summary>The exceptions of this minute, outermost and innermost type.</summary>
        public HashSet<(Type, Type)> Kinds { get; } = [];

        public int Written { get; set; }

        public int LeftOut { get; set; }

        public ITimer? Timer { get; set; }
    }
}

/// <summary>A <see cref="PacedLogger"/> of this class, for injection.</summary>
/// <typeparam name="T">The class that logs.</typeparam>
public sealed class PacedLogger<T>(ILogger<T> inner, TimeProvider time) : PacedLogger(inner, time);

internal static partial class PacedLog
{
    [LoggerMessage(EventId = 1900, Message = "{Count} more of event {Event} {Name} were left out within a minute.")]
    public static partial void LeftOut(ILogger logger, LogLevel level, int count, int @event, string? name);
}
