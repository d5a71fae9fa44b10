using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;

namespace ProxyGateway.Tests;

public sealed class PacedLoggerTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<(LogLevel Level, int Event, string Text)> _lines = [];
    private readonly PacedLogger<PacedLoggerTests> _logger;

    public PacedLoggerTests() => _logger = new PacedLogger<PacedLoggerTests>(new Lines(_lines), _time);

    public void Dispose() => _logger.Dispose();

    [Fact]
    public void So_many_lines_of_an_event_are_written_and_then_how_many_were_left_out()
    {
        Log(7, 1000);
        Log(8, 1);
        _lines.Count(l => l.Event == 7).ShouldBe(PacedLogger<PacedLoggerTests>.LinesPerMinute);
        _lines.Count(l => l.Event == 8).ShouldBe(1, "another event has a pace of its own");

        _time.Advance(TimeSpan.FromMinutes(1));
        (LogLevel level, _, string text) = _lines.Where(l => l.Event == 1900).ShouldHaveSingleItem();
        level.ShouldBe(LogLevel.Warning);
        text.ShouldStartWith("970 more of event 7 Seven were left out");

        Log(7, 1);
        _lines.Count(l => l.Event == 7).ShouldBe(31);
    }

    [Fact]
    public void Where_nothing_was_left_out_nothing_is_said()
    {
        Log(7, 30);
        _time.Advance(TimeSpan.FromMinutes(2));
        _logger.Dispose();
        _lines.Count.ShouldBe(30);
    }

    [Fact]
    public void At_the_end_what_was_left_out_is_told()
    {
        Log(7, 31);
        _logger.Dispose();
        _lines[^1].Text.ShouldStartWith("1 more of event 7");
        _time.Advance(TimeSpan.FromMinutes(2));
        _lines.Count.ShouldBe(31);
    }

    private void Log(int id, int times)
    {
        for (int i = 0; i < times; i++)
            _logger.Log(LogLevel.Warning, new EventId(id, id == 7 ? "Seven" : null), "a line");
    }

    private sealed class Lines(List<(LogLevel, int, string)> lines) : ILogger<PacedLoggerTests>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Add((logLevel, eventId.Id, formatter(state, exception)));
    }
}
