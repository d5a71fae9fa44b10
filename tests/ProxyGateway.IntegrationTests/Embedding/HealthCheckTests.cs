using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Health;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.IntegrationTests.Registry;

namespace ProxyGateway.IntegrationTests.Embedding;

/// <summary>The gate among an application's own health checks: each fails for its own reason, and says which.</summary>
public sealed class HealthCheckTests
{
    private static readonly string[] All = ["device-gate-draining", "device-registry", "device-registry-freshness"];

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private bool _isAway;

    [Fact]
    public async Task A_gate_that_admits_devices_is_healthy()
    {
        await using TestGateway gateway = await StartAsync();

        HealthReport report = await ReportAsync(gateway);

        report.Entries.Keys.Order().ShouldBe(All);
        report.Entries.Values.ShouldAllBe(e => e.Status == HealthStatus.Healthy && e.Tags.Contains(HealthCheckExtensions.Tag));
    }

    [Fact]
    public async Task A_registry_that_does_not_answer_is_unhealthy()
    {
        await using TestGateway gateway = await StartAsync();
        _isAway = true;

        await ShouldFailAsync(gateway, "device-registry", "The registry does not answer.");
    }

    [Fact]
    public async Task A_registry_without_announcements_is_unhealthy()
    {
        await using TestGateway gateway = await StartAsync();

        _time.Advance(TimeSpan.FromHours(1));

        await ShouldFailAsync(gateway, "device-registry-freshness", "Changes of the registry have not been heard of for too long.");
    }

    [Fact]
    public async Task A_gateway_that_stops_is_unhealthy()
    {
        await using TestGateway gateway = await StartAsync();
        await gateway.StopAsync();

        await ShouldFailAsync(gateway, "device-gate-draining", "The gateway is stopping.");
    }

    private static async Task<HealthReport> ReportAsync(TestGateway gateway) =>
        await gateway.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();

    private static async Task ShouldFailAsync(TestGateway gateway, string name, string why)
    {
        HealthReport report = await ReportAsync(gateway);
        report.Entries.Where(e => e.Value.Status == HealthStatus.Unhealthy).Select(e => (e.Key, e.Value.Description)).ShouldBe([(name, why)]);
    }

    private Task<TestGateway> StartAsync() => TestGateway.StartAsync(
        services: services =>
        {
            services.AddSingleton<IDeviceStore>(new QuietStore(() => _isAway));
            services.AddHealthChecks().AddDeviceAuthorization();
        },
        time: _time);

    /// <summary>Announces nothing, and answers only to <see cref="PingAsync"/>.</summary>
    private sealed class QuietStore(Func<bool> isAway) : DelegatingStore(new FailingStore(() => new RegistryUnavailableException("away")))
    {
        public override ValueTask PingAsync(CancellationToken cancellationToken) => isAway() ? base.PingAsync(cancellationToken) : default;
    }
}
