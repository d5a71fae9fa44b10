using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth;

/// <summary>
/// A log for what strangers can cause as often as they like: of each event so many lines a minute are written, and then how many were
/// left out. The first line with each kind of exception in a minute is always written, so that a flood of one failure does not hide another
/// (a backend that is down behind clients that hang up), and only this one has the stack. Nothing is left out of the audit by this, and
/// nothing of other events.
/// </summary>
internal class PacedLogger(ILogger inner, TimeProvider time) : ILogger, IDisposable
{
    /// <summary>How many lines of one event are written in a minute.</summary>
    public const int LinesPerMinute = 30;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private readonly Lock _lock = new();
    private readonly Dictionary<int, Pace> _paces = [];

    public bool IsEnabled(LogLevel logLevel) => inner.IsEnabled(logLevel);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => inner.BeginScope(state);

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        // Not every library asks before it logs. What nobody wants uses up nothing.
        if (!inner.IsEnabled(logLevel))
            return;

        // These levels are on only while somebody looks for something.
        bool isFirst = true;
        if (logLevel < LogLevel.Information || MayPass(logLevel, eventId, exception, out isFirst))
        {
            if (isFirst || exception is null)
                inner.Log(logLevel, eventId, state, exception, formatter);
            else
                inner.Log(logLevel, eventId, state, null, (s, _) => $"{formatter(s, exception)} {LogText.Of(exception)}");
        }
    }

    /// <summary>Tells what was left out and not told yet.</summary>
    public void Dispose()
    {
        Pace[] paces;
        lock (_lock)
        {
            paces = [.. _paces.Values];
            _paces.Clear();
        }

        foreach (Pace pace in paces)
            Tell(pace);
    }

    private bool MayPass(LogLevel level, EventId id, Exception? exception, out bool isFirst)
    {
        lock (_lock)
        {
            // There are as many as the program has events.
            if (!_paces.TryGetValue(id.Id, out Pace? pace))
                _paces[id.Id] = pace = new Pace(level, id);
            if (pace.Timer is null)
            {
                pace.Written = 0;
                pace.Kinds.Clear();
                pace.Timer = time.CreateTimer(static p => ((Action)p!)(), () => EndMinute(pace), Minute, Timeout.InfiniteTimeSpan);
            }

            // There are as many as the program has pairs of types.
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

        /// <summary>Which exceptions came in this minute, outermost and innermost.</summary>
        public HashSet<(Type, Type)> Kinds { get; } = [];

        public int Written { get; set; }

        public int LeftOut { get; set; }

        public ITimer? Timer { get; set; }
    }
}

/// <summary>A <see cref="PacedLogger"/> of this class, for those that get theirs from the container.</summary>
/// <typeparam name="T">Whose log it is.</typeparam>
internal sealed class PacedLogger<T>(ILogger<T> inner, TimeProvider time) : PacedLogger(inner, time);

internal static partial class PacedLog
{
    [LoggerMessage(EventId = 1900, Message = "{Count} more of event {Event} {Name} were left out within a minute.")]
    public static partial void LeftOut(ILogger logger, LogLevel level, int count, int @event, string? name);
}
