using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>The contract for a store that is a device store and no more, by a clock that nobody turns.</summary>
public sealed class PlainDeviceStoreTests : DeviceStoreContract
{
    protected override bool IsCopyable => false;

    protected override bool KeepsLastSeen => false;

    protected override bool CanBeDamaged => false;

    protected override bool KeepsSharedDocuments => false;

    protected override Task<IDeviceStore> OpenAsync() => Task.FromResult<IDeviceStore>(new Plain(new InMemoryDeviceStore()));

    protected override Task LeavesNothingAsync(DeviceClaim claim, PairingRequest request) => Task.CompletedTask; // nothing of it can be seen

    private sealed class Plain(IDeviceStore inner) : DelegatingStore(inner);
}
