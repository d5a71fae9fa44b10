using System.CommandLine;
using System.Globalization;

namespace ProxyGateway.Operating;

/// <summary>The end of a grant: <c>--until</c> a time, or <c>--for</c> a span.</summary>
internal static class GrantEnd
{
    public static Option<string?> UntilOption { get; } = new("--until")
    {
        Description = "When the grant ends, as in 2026-12-24T18:00:00Z, or without Z in the time zone of this machine",
        HelpName = "time",
    };

    public static Option<string?> ForOption { get; } = new("--for") { Description = "After how long the grant ends, as in 30m, 8h or 7d", HelpName = "while" };

    /// <summary>The end; null if none is named.</summary>
    public static DateTimeOffset? Read(ParseResult parsed, TimeProvider time)
    {
        string? until = parsed.GetValue(UntilOption);
        string? span = parsed.GetValue(ForOption);
        if (until is not null && span is not null)
            throw new CommandFailedException(ExitCodes.Usage, "A grant ends --until a time or after a while (--for), not both");
        if (until is not null)
        {
            return DateTimeOffset.TryParse(until, CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out DateTimeOffset at)
                ? at
                : throw new CommandFailedException(ExitCodes.Usage, $"'{until}' is no time, as in 2026-12-24T18:00:00Z");
        }

        return span is null ? null : time.GetUtcNow() + ReadSpan(span);
    }

    /// <summary>A span in the form in which it is given, in the largest unit of which it is a whole number.</summary>
    public static string Text(TimeSpan span) => span switch
    {
        { TotalSeconds: var seconds } when seconds % 60 != 0 => string.Create(CultureInfo.InvariantCulture, $"{seconds:0}s"),
        { TotalMinutes: var minutes } when minutes % 60 != 0 => string.Create(CultureInfo.InvariantCulture, $"{minutes:0}m"),
        { TotalHours: var hours } when hours % 24 != 0 => string.Create(CultureInfo.InvariantCulture, $"{hours:0}h"),
        { TotalDays: var days } => string.Create(CultureInfo.InvariantCulture, $"{days:0}d"),
    };

    /// <summary>Reads a span, as in 30m, 8h or 7d.</summary>
    /// <exception cref="CommandFailedException">It is none.</exception>
    public static TimeSpan ReadSpan(string text)
    {
        TimeSpan unit = text.Length == 0 ? default : text[^1] switch
        {
            'm' => TimeSpan.FromMinutes(1),
            'h' => TimeSpan.FromHours(1),
            'd' => TimeSpan.FromDays(1),
            _ => default,
        };
        if (unit > TimeSpan.Zero && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count is > 0 and <= 36500)
            return unit * count;
        throw new CommandFailedException(ExitCodes.Usage, $"'{text}' is no while, as in 30m, 8h or 7d");
    }
}
