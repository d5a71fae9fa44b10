using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

/// <summary>Decisions that use a proof up; the stores' part of it is in their contract.</summary>
public sealed class UseOnceTests
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly UseOnce Once = new("a", TimeSpan.FromMinutes(4));
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 22, 10, 0, 0, TimeSpan.Zero));
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");

    [Fact]
    public async Task A_store_that_remembers_no_proofs_decides_none()
    {
        var store = new OneDeviceStore { Record = Some.Paired(_claim, _time.GetUtcNow()) };
        var registry = new DeviceRegistry(store);

        await Should.ThrowAsync<RegistryUnavailableException>(async () => await registry.AdmitAsync(_claim, Some.Origin, Some.Rules, Once, None));

        store.Reads.ShouldBe(0);
        (await registry.AdmitAsync(_claim, Some.Origin, Some.Rules, None)).ShouldBeOfType<Admission.Admitted>();
    }

    [Fact]
    public async Task A_store_that_has_made_no_mark_admits_nobody()
    {
        var memory = new InMemoryDeviceStore(_time);
        await memory.SwapAsync(new DeviceSwap(Previous: null, Some.Paired(_claim, _time.GetUtcNow()), ExpiresAt: null, PendingLimits.None), None);

        await Should.ThrowAsync<RegistryUnavailableException>(async () =>
            await new DeviceRegistry(new MarklessStore(memory)).AdmitAsync(_claim, Some.Origin, Some.Rules, Once, None));
    }

    // A gatekeeper decides again when a reload or another change came in between.
    [Fact]
    public async Task A_decision_that_is_made_twice_uses_its_proof_up_once()
    {
        foreach (ClaimOrigin origin in new[] { Some.Origin, Some.Loopback })
        {
            var memory = new InMemoryDeviceStore(_time);
            PairingRules rules = Some.Rules with { Policy = PairingPolicy.Default };
            var registry = new DeviceRegistry(memory);
            if (origin == Some.Origin)
                await memory.SwapAsync(new DeviceSwap(Previous: null, Some.Paired(_claim, _time.GetUtcNow()), ExpiresAt: null, PendingLimits.None), None);
            PendingUse use = PendingUse.Of(Once)!;

            for (int i = 0; i < 3; i++)
                (await registry.AdmitAsync(_claim, origin, () => new AdmissionTerms(rules), use, None)).ShouldBeOfType<Admission.Admitted>();

            (await registry.AdmitAsync(_claim, origin, rules, Once, None)).ShouldBeOfType<Admission.UsedBefore>();
        }
    }

    private sealed class MarklessStore(IDeviceStore inner) : DelegatingStore(inner)
    {
        public override ValueTask<StoredDevice> GetAsync(DeviceId id, UseOnce once, CancellationToken cancellationToken) => GetAsync(id, cancellationToken);
    }
}
