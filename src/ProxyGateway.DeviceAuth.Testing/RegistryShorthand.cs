using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>Operators' actions in short form, for tests.</summary>
internal static class RegistryShorthand
{
    /// <summary>Approves a request; all of it, unless scopes are named.</summary>
    public static ValueTask<Decision?> ApproveAsync(
        this DeviceRegistry registry, RequestId id, ScopeSet? scopes, Operator by, PairingRules rules, CancellationToken cancellationToken) =>
        registry.ApproveAsync(id, new GrantTerms(scopes), by, rules, cancellationToken);

    /// <summary>Removes a device; false if nothing is left to remove.</summary>
    public static async ValueTask<bool> RemoveAsync(
        this DeviceRegistry registry, DeviceId id, Operator by, PairingRules rules, CancellationToken cancellationToken) =>
        await registry.ChangeAsync(id, new DeviceChange.Remove(), by, rules, cancellationToken) is { Outcome: DecisionOutcome.Done };

    /// <summary>Sets or revokes a grant; null if the device is not paired or does not have it.</summary>
    public static async ValueTask<Decision?> SetGrantAsync(
        this DeviceRegistry registry, DeviceId id, GrantKey key, ScopeSet? scopes, Operator by, PairingRules rules, CancellationToken cancellationToken)
    {
        DeviceChange change = scopes is null ? new DeviceChange.TakeGrant(key) : new DeviceChange.SetGrant(key, new GrantTerms(scopes));
        Decision? decision = await registry.ChangeAsync(id, change, by, rules, cancellationToken);
        return decision?.Outcome == DecisionOutcome.NotFound ? null : decision;
    }
}
