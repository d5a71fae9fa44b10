namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>The range of time spans of a setting.</summary>
public readonly record struct SpanRange
{
    private readonly TimeSpan _min;
    private readonly TimeSpan _max;
    private readonly bool _orOff;

    private SpanRange(TimeSpan min, TimeSpan max, bool orOff) => (_min, _max, _orOff) = (min, max, orOff);

    /// <summary>More than zero and at most this.</summary>
    public static SpanRange UpTo(TimeSpan max) => new(TimeSpan.FromTicks(1), max, orOff: false);

    /// <summary>From one to another, or zero for off.</summary>
    public static SpanRange OrOff(TimeSpan min, TimeSpan max) => new(min, max, orOff: true);

    /// <summary>Whether the range contains the span.</summary>
    public bool Contains(TimeSpan span) => (span >= _min && span <= _max) || (_orOff && span == TimeSpan.Zero);

    /// <summary>For people.</summary>
    public override string ToString() => _orOff
        ? $"a time span as [d.]hh:mm:ss, at least {_min:c} and at most {_max:c}, or 00:00:00 for off"
        : $"a time span as [d.]hh:mm:ss, more than 00:00:00 and at most {_max:c}";
}
