namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>How a gateway makes sure that it hears of every change in the registry. Counts from the start on.</summary>
public sealed record FreshnessOptions
{
    /// <summary>How often live sessions are compared with the registry, in case an announcement was lost unnoticed; up to a day.</summary>
    public TimeSpan SweepInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// How long the gateway may go without knowing that it hears of every change. Past it nobody is admitted, whatever a read would
    /// say. 5 seconds to a day.
    /// </summary>
    public TimeSpan StalenessLimit { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether sessions are closed as well once <see cref="StalenessLimit"/> has passed. If not they live on, and are checked afterwards.</summary>
    public bool CloseStaleSessions { get; init; }
}
