namespace ProxyGateway.DeviceAuth.Overview;

/// <summary>What the gateways of the registry have admitted and refused in the last hours.</summary>
public interface IGateOverview
{
    /// <summary>The most hours that can be read.</summary>
    const int MaxHours = 24;

    /// <summary>
    /// Adds up what this gateway has counted and what the others have written into the registry, which is half a minute old at most. Callers may ask at any rate:
    /// what the others wrote is read once in two seconds at most. Without the registry it has this gateway's counts alone.
    /// </summary>
    /// <param name="hours">How many hours back, 1 to <see cref="MaxHours"/>.</param>
    /// <param name="cancellationToken">The caller stops waiting.</param>
    /// <exception cref="ArgumentOutOfRangeException">The hours are out of their range.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    ValueTask<OverviewReport> ReadAsync(int hours, CancellationToken cancellationToken);
}
