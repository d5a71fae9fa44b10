using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Health;

/// <inheritdoc cref="IGateReadiness"/>
internal sealed class GateReadiness(RegistryProbe registry, RegistryFreshness freshness, Draining draining) : IGateReadiness
{
    public string? Notice => registry.Notice;

    public async ValueTask<NotReady?> CheckAsync(CancellationToken cancellationToken) =>
        CheckDraining() ?? await CheckRegistryAsync(cancellationToken) ?? CheckFreshness();

    public NotReady? CheckDraining() => draining.IsUnderWay ? new NotReady(IsStopping: true, "The gateway is stopping.") : null;

    public async ValueTask<NotReady?> CheckRegistryAsync(CancellationToken cancellationToken) =>
        await registry.AskAsync().WaitAsync(cancellationToken) is { } failure ? new NotReady(IsStopping: false, failure) : null;

    public NotReady? CheckFreshness() =>
        freshness.IsStale ? new NotReady(IsStopping: false, "Changes of the registry have not been heard of for too long.") : null;
}
