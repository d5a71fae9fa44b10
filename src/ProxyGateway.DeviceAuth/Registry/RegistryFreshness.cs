namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>Since when this gateway cannot be sure to hear of every change in the registry. The time for which the machine slept counts.</summary>
/// <param name="options">How long that may be.</param>
/// <param name="time">The clocks.</param>
public sealed class RegistryFreshness(FreshnessOptions options, TimeProvider time)
{
    private volatile TimeMark _current = new(time);

    /// <summary>Whether it is longer than <see cref="FreshnessOptions.StalenessLimit"/>. Then nobody may be admitted, whatever a read would say.</summary>
    public bool IsStale => StaleIn <= TimeSpan.Zero;

    /// <summary>How long it is until then, if nothing is heard of.</summary>
    internal TimeSpan StaleIn => options.StalenessLimit - _current.Elapsed;

    /// <summary>All changes until now have been heard of, and acted upon.</summary>
    internal void Renew() => _current = new TimeMark(time);
}
