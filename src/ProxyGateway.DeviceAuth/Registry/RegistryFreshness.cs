namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// How long this gateway has been unsure whether it receives every change in the registry. The time for which the machine slept counts.
/// </summary>
/// <param name="options">The bounds.</param>
/// <param name="time">The clocks.</param>
internal sealed class RegistryFreshness(FreshnessOptions options, TimeProvider time)
{
    private volatile TimeMark _current = new(time);

    /// <summary>
    /// Whether that exceeds <see cref="FreshnessOptions.StalenessLimit"/>. Then nobody may be admitted, even if the registry can be read.
    /// </summary>
    public bool IsStale => StaleIn <= TimeSpan.Zero;

    /// <summary>How long it is.</summary>
    public TimeSpan Age => _current.Elapsed;

    /// <summary>The time until then, without further announcements.</summary>
    internal TimeSpan StaleIn => options.StalenessLimit - _current.Elapsed;

    /// <summary>Starts again: all changes until now were received and handled.</summary>
    internal void Renew() => _current = new TimeMark(time);
}
