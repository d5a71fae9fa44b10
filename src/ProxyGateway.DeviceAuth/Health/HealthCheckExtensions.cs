using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace ProxyGateway.DeviceAuth.Health;

/// <summary>Adds the gate to an application's own health checks.</summary>
public static class HealthCheckExtensions
{
    /// <summary>The tag of every check of the gate.</summary>
    public const string Tag = "device-auth";

    /// <summary>
    /// Adds three checks: <c>device-registry</c> (the registry answers), <c>device-registry-freshness</c> (announcements of its changes
    /// arrive) and <c>device-gate-draining</c> (the gateway is not stopping). Each is unhealthy while the gate admits nobody for that
    /// reason, and says why. The first is degraded while some devices are refused because a newer gateway wrote their documents.
    /// </summary>
    /// <param name="checks">The application's checks.</param>
    public static IHealthChecksBuilder AddDeviceAuthorization(this IHealthChecksBuilder checks)
    {
        ArgumentNullException.ThrowIfNull(checks);
        return checks
            .Add("device-registry", (gate, cancellationToken) => gate.CheckRegistryAsync(cancellationToken), gate => gate.Notice)
            .Add("device-registry-freshness", (gate, _) => ValueTask.FromResult(gate.CheckFreshness()))
            .Add("device-gate-draining", (gate, _) => ValueTask.FromResult(gate.CheckDraining()));
    }

    private static IHealthChecksBuilder Add(
        this IHealthChecksBuilder checks,
        string name,
        Func<GateReadiness, CancellationToken, ValueTask<NotReady?>> check,
        Func<GateReadiness, string?>? notice = null) => checks.Add(
            new HealthCheckRegistration(name, services => new Check(services.GetRequiredService<GateReadiness>(), check, notice), failureStatus: null, [Tag]));

    private sealed class Check(
        GateReadiness gate, Func<GateReadiness, CancellationToken, ValueTask<NotReady?>> check, Func<GateReadiness, string?>? notice) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            await check(gate, cancellationToken) is { } failure
                ? new HealthCheckResult(context.Registration.FailureStatus, failure.Description)
                : notice?.Invoke(gate) is { } text ? HealthCheckResult.Degraded(text) : HealthCheckResult.Healthy();
    }
}
