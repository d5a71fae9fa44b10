using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;

namespace ProxyGateway.Tests;

public sealed class PacedLoggerTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<(LogLevel Level, int Event, string Text)> _lines = [];
    private LogLevel _lowest = LogLevel.Trace;
    private readonly PacedLogger<PacedLoggerTests> _logger;

    public PacedLoggerTests() => _logger = new PacedLogger<PacedLoggerTests>(new Lines(_lines, level => level >= _lowest), _time);

    public void Dispose() => _logger.Dispose();

    [Fact]
    public void A_bounded_number_of_lines_of_an_event_is_written_and_then_the_count_of_the_rest()
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
    public void If_no_line_was_left_out_no_count_is_written()
    {
        Log(7, 30);
        _time.Advance(TimeSpan.FromMinutes(2));
        _logger.Dispose();
        _lines.Count.ShouldBe(30);
    }

    [Fact]
    public void At_the_end_the_count_of_left_out_lines_is_written()
    {
        Log(7, 31);
        _logger.Dispose();
        _lines[^1].Text.ShouldStartWith("1 more of event 7");
        _time.Advance(TimeSpan.FromMinutes(2));
        _lines.Count.ShouldBe(31);
    }

    [Fact]
    public void A_flood_of_one_failure_does_not_hide_another()
    {
        var down = new IOException("backend is down", new TimeoutException());
        for (int i = 0; i < 100; i++)
            Fail(new IOException("client hung up"));
        for (int i = 0; i < 100; i++)
            Fail(down);
        for (int i = 0; i < 100; i++)
            Fail(new IOException("client hung up"));
        _lines.Count.ShouldBe(31);
        _lines[^1].Text.ShouldContain("backend is down");

        _time.Advance(TimeSpan.FromMinutes(1));
        _lines[^1].Text.ShouldStartWith("269 more of event 9");
        Fail(down);
        _lines[^1].Text.ShouldContain("backend is down");
        _lines.Count.ShouldBe(33);
    }

    [Fact]
    public void Only_the_first_exception_of_a_kind_has_its_stack()
    {
        var faults = new List<Exception>();
        for (int i = 0; i < 3; i++)
        {
            try
            {
                throw new InvalidOperationException(new string('m', 2000), new TimeoutException("too late"));
            }
            catch (InvalidOperationException e)
            {
                faults.Add(e);
            }
        }

        faults.ForEach(Fail);
        _lines[0].Text.ShouldContain(nameof(Only_the_first_exception_of_a_kind_has_its_stack));
        _lines.Skip(1).ShouldAllBe(l => l.Text == $"failed InvalidOperationException: {new string('m', 256)}... <- TimeoutException: too late");

        _time.Advance(TimeSpan.FromMinutes(1));
        faults.ForEach(Fail);
        _lines[3].Text.ShouldContain(nameof(Only_the_first_exception_of_a_kind_has_its_stack), Case.Sensitive, "a minute later there may be other readers");
    }

    [Fact]
    public void Debug_and_trace_lines_are_not_limited()
    {
        for (int i = 0; i < 100; i++)
            _logger.LogDebug(new EventId(7), "a line");
        Log(7, 1000);
        _lines.Count.ShouldBe(130);
    }

    [Fact]
    public void Lines_of_a_disabled_level_use_up_no_budget()
    {
        _lowest = LogLevel.Warning;
        for (int i = 0; i < 100; i++)
            _logger.LogInformation(new EventId(7), "a line");
        Log(7, 1);
        _lines.ShouldHaveSingleItem();
    }

    private void Fail(Exception exception) => _logger.LogError(new EventId(9), exception, "failed");

    private void Log(int id, int times)
    {
        for (int i = 0; i < times; i++)
            _logger.Log(LogLevel.Warning, new EventId(id, id == 7 ? "Seven" : null), "a line");
    }

    private sealed class Lines(List<(LogLevel, int, string)> lines, Func<LogLevel, bool> isEnabled) : ILogger<PacedLoggerTests>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => isEnabled(logLevel);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Add((logLevel, eventId.Id, exception is null ? formatter(state, exception) : $"{formatter(state, exception)} {exception}"));
    }
}
