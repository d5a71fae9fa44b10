using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.Sqlite;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>Devices that nobody saw for a long time are forgotten, where that is configured, and as soon as the registry can be written.</summary>
public sealed class IdleDevicesTests : IAsyncLifetime, IDisposable
{
    private static readonly PairingRules Silent = Some.Rules with { Policy = PairingPolicy.Default };

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 22, 10, 0, 0, TimeSpan.Zero));
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("idle-");
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().AddLogging().AddSingleton(TimeProvider.System).AddSingleton<GateTelemetry>().BuildServiceProvider();
    private readonly Settings _settings = new();
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");
    private SqliteDeviceStore _store = null!;
    private UnreliableStore _unreliable = null!;
    private AuditLog _audit = null!;
    private DeviceRegistry _registry = null!;
    private IdleDevices _idle = null!;

    public async Task InitializeAsync()
    {
        _store = SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path.Combine(_folder.FullName, "registry.db") }, _time);
        _unreliable = new UnreliableStore(_store);
        _audit = new AuditLog(TimeProvider.System, _services.GetRequiredService<GateTelemetry>(), NullLogger<AuditLog>.Instance, _store);
        await _audit.StartAsync(default);
        _registry = new DeviceRegistry(_unreliable, _audit);
        _idle = new IdleDevices(new DeviceFleet(_registry, _time), _settings, _time, NullLogger<IdleDevices>.Instance);
        (await _registry.AdmitAsync(_claim, Some.Loopback, Silent, default)).ShouldBeOfType<Admission.Admitted>();
        await _idle.StartAsync(default);
    }

    public async Task DisposeAsync()
    {
        await _idle.StopAsync(default);
        await _audit.StopAsync(default);
        await _store.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    public void Dispose()
    {
        _idle.Dispose();
        _audit.Dispose();
        _services.Dispose();
    }

    [Fact]
    public async Task An_idle_device_is_forgotten_after_its_time_and_the_audit_says_so()
    {
        _settings.Current = new DeviceAuthOptions { ForgetIdleAfter = TimeSpan.FromHours(5) };

        await PassAsync(hours: 4);
        (await IsPairedAsync()).ShouldBeTrue();
        await PassAsync(hours: 1);

        await Eventually.HoldsAsync(async () => !await IsPairedAsync(), "it is forgotten");
        await Eventually.HoldsAsync(
            async () => (await _store.ListAsync(new AuditFilter(AuditKinds.DeviceForgotten, _claim.Device), before: null, 10, default)).Items.Count == 1,
            "the audit has it");
    }

    [Fact]
    public async Task A_device_is_kept_while_it_is_seen_or_nothing_is_configured()
    {
        await PassAsync(hours: 24);
        (await IsPairedAsync()).ShouldBeTrue("off by default");

        _settings.Current = new DeviceAuthOptions { ForgetIdleAfter = TimeSpan.FromHours(5) };
        await _store.NoteSeenAsync([new SeenDevice(_claim.Device, _time.GetUtcNow())], default);
        await PassAsync(hours: 4);
        (await IsPairedAsync()).ShouldBeTrue("it was seen");
    }

    [Fact]
    public async Task An_outage_of_the_registry_postpones_forgetting()
    {
        _settings.Current = new DeviceAuthOptions { ForgetIdleAfter = TimeSpan.FromHours(1) };
        _unreliable.IsAway = true;
        await PassAsync(hours: 2);
        _unreliable.IsAway = false;
        (await IsPairedAsync()).ShouldBeTrue();

        await PassAsync(hours: 1);

        await Eventually.HoldsAsync(async () => !await IsPairedAsync(), "it is forgotten");
    }

    /// <summary>Lets hours pass, each with the look that comes with it.</summary>
    private async Task PassAsync(int hours)
    {
        for (int i = 0; i < hours; i++)
        {
            int looks = _unreliable.Looks;
            _time.Advance(IdleDevices.Interval);
            if (_settings.Current.ForgetIdleAfter > TimeSpan.Zero)
                await Eventually.HoldsAsync(() => Task.FromResult(_unreliable.Looks > looks), "it looks");
        }
    }

    private async Task<bool> IsPairedAsync() => (await _store.GetAsync(_claim.Device, default)).Record?.IsPaired == true;

    private sealed class Settings : IDeviceAuthSettings
    {
        public DeviceAuthOptions Current { get; set; } = new();
    }

    private sealed class UnreliableStore(IDeviceStore store) : DelegatingStore(store)
    {
        private int _looks;

        public volatile bool IsAway;

        public int Looks => Volatile.Read(ref _looks);

        public override async ValueTask<PagedResult<DeviceRecord>> ListDevicesAsync(string? cursor, int limit, CancellationToken cancellationToken)
        {
            PagedResult<DeviceRecord>? page = IsAway ? null : await base.ListDevicesAsync(cursor, limit, cancellationToken);
            Interlocked.Increment(ref _looks);
            return page ?? throw new RegistryUnavailableException("away");
        }
    }
}
