using ProxyGateway.DeviceAuth.Registry.Auditing;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry.Auditing;

public sealed class InMemoryAuditStoreTests(ITestOutputHelper output) : AuditStoreContract(output)
{
    protected override int? MostReadForPage => null;

    public override async Task DisposeAsync() => await ((InMemoryDeviceStore)Store).DisposeAsync();

    protected override Task<IAuditStore> OpenAsync(int kept, int bytes = 64 * 1024 * 1024) =>
        Task.FromResult<IAuditStore>(new InMemoryDeviceStore { AuditEntries = kept, AuditBytes = bytes });

    protected override Task<IAuditStore> OpenAnotherAsync(int kept) => Task.FromResult(Store); // it serves as many gateways as there are
}
