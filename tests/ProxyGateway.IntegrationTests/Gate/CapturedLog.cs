using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>What was logged.</summary>
internal sealed class CapturedLog : ILoggerProvider
{
    private readonly ConcurrentQueue<(LogLevel Level, EventId Id, string Category, string Text)> _lines = [];

    public IReadOnlyCollection<(LogLevel Level, EventId Id, string Category, string Text)> Lines => _lines;

    /// <summary>The lines of one event.</summary>
    public IEnumerable<string> Of(int eventId) => _lines.Where(l => l.Id.Id == eventId && l.Category.StartsWith("ProxyGateway", StringComparison.Ordinal)).Select(l => l.Text);

    public ILogger CreateLogger(string categoryName) => new Logger(_lines, categoryName);

    /// <summary>Forgets what was logged.</summary>
    public void Clear() => _lines.Clear();

    public void Dispose()
    {
    }

    private sealed class Logger(ConcurrentQueue<(LogLevel, EventId, string, string)> lines, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue((logLevel, eventId, category, exception is null ? formatter(state, exception) : $"{formatter(state, exception)}\n{exception}"));
    }
}
