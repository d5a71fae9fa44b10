using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sqlite;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A device's record changes faster than it can be decided by: the device has to come again, and is not told that the registry is away.</summary>
public sealed class ContentionTests : IAsyncLifetime
{
    private readonly TestDevice _device = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("contention-");
    private BusyStore _store = null!;
    private TestGateway _gateway = null!;

    public async Task InitializeAsync()
    {
        SqliteDeviceStore sqlite = SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path.Combine(_folder.FullName, "registry.db") }, TimeProvider.System);
        _store = BusyStore.Before(sqlite);
        _gateway = await TestGateway.StartAsync(services: s => s.AddSingleton<IDeviceStore>(_store).AddSingleton<IAuditStore>(sqlite));
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_record_that_is_revoked_and_restored_before_each_decision_is_try_again_later()
    {
        (await TestClient.ConnectAsync(_gateway.Port, _device)).ShouldBeAdmitted();
        int reads = 0;
        _store.AfterRead = read =>
        {
            reads++;
            _gateway.Sessions.Recheck(_device.Id, record: null, read.Now); // as after an announcement of another gateway's change
        };

        await ShouldHaveToComeAgainAsync();

        reads.ShouldBe(4, "it is read again, and not for ever");
    }

    [Fact]
    public async Task A_record_whose_every_swap_fails_is_try_again_later()
    {
        _store.BeforeSwap = () => throw new RegistryUnavailableException("lost 32 times") { IsContended = true }; // as the registry says, after seconds

        await ShouldHaveToComeAgainAsync();
    }

    private async Task ShouldHaveToComeAgainAsync()
    {
        Outcome outcome = await TestClient.ConnectAsync(_gateway.Port, _device);

        outcome.ShouldBeClosed(1013, "try again later");
        outcome.Error.GetProperty("code").GetString().ShouldBe("UNAVAILABLE");
        outcome.Error.GetProperty("retryable").GetBoolean().ShouldBeTrue();
        outcome.Error.GetProperty("retryAfterMs").GetInt64().ShouldBePositive();
        _gateway.Log.Of(1111).ShouldHaveSingleItem().ShouldContain(_device.Id.ToString());
        _gateway.Log.Lines.ShouldNotContain(l => l.Level >= LogLevel.Error);
        await Eventually.HoldsAsync(
            async () => (await _gateway.Audit.ListAsync(new AuditFilter(), before: null, 100, default)).Items.Any(e => (e.Kind, e.Reason) == (AuditKinds.DeviceRefused, "busy")),
            "the refusal is in the audit");

        // Once it is over the device gets in.
        (_store.AfterRead, _store.BeforeSwap) = (null, null);
        (await TestClient.ConnectAsync(_gateway.Port, _device)).ShouldBeAdmitted();
    }

    /// <summary>A store that others use at the same time.</summary>
    private sealed class BusyStore(IDeviceStore inner) : DelegatingStore(inner)
    {
        public static BusyStore Before(IDeviceStore inner) => new(inner);

        public Action<StoredDevice>? AfterRead { get; set; }

        public Action? BeforeSwap { get; set; }

        public override async ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken)
        {
            StoredDevice read = await base.GetAsync(id, cancellationToken);
            AfterRead?.Invoke(read);
            return read;
        }

        public override ValueTask<SwapResult> SwapAsync(DeviceSwap swap, CancellationToken cancellationToken)
        {
            BeforeSwap?.Invoke();
            return base.SwapAsync(swap, cancellationToken);
        }
    }
}
