using System.Collections.Immutable;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>How a gateway makes sure that it receives every change in the registry. Read at start only.</summary>
public sealed record FreshnessOptions
{
    /// <summary>The names of these options in the section <c>Registry</c>. The gate reads them; an application may add other keys there.</summary>
    public static ImmutableArray<string> KeyNames { get; } = [nameof(SweepInterval), nameof(StalenessLimit), nameof(CloseStaleSessions)];

    /// <summary>
    /// How often live sessions are compared with the registry, in case an announcement was lost unnoticed: more than zero, up to
    /// a day.
    /// </summary>
    public TimeSpan SweepInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// How long the gateway may be unsure whether it receives every change. Past it nobody is admitted, even if the registry can be read: 5
    /// seconds to a day.
    /// </summary>
    public TimeSpan StalenessLimit { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Whether sessions are closed as well once <see cref="StalenessLimit"/> has passed. If not, they stay open and are checked afterwards.
    /// </summary>
    public bool CloseStaleSessions { get; init; }
}
