using BenchmarkDotNet.Attributes;
using ProxyGateway.Benchmarks;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Steps;

/// <summary>What the registry does for a paired device that asks for nothing new. Redis is measured where <c>redis-server</c> is installed.</summary>
public class RegistrySteps
{
    private const string Memory = "memory";
    private const string Sqlite = "SQLite";
    private const string Redis = "Redis";
    private const int Devices = 1000;

    private static readonly ClaimOrigin Origin = new(new Locality(IsLoopback: false), "192.0.2.1", () => PeerUser.Unknown);
    private static readonly PairingRules Rules = new(
        PairingPolicy.Default, new Lifetimes(TimeSpan.FromHours(1), TimeSpan.FromDays(90)), PendingLimits.None);

    private readonly DeviceClaim _claim = Fleet.Claim(Devices / 2);
    private Subject? _subject;
    private IDeviceStore _store = null!;
    private DeviceRegistry _registry = null!;

    /// <summary>Where the records are. In memory there is one, ready-made: what remains is the registry's own.</summary>
    [ParamsSource(nameof(Stores))]
    public string Store { get; set; } = "";

    /// <summary>The stores that can be measured here.</summary>
    public static IEnumerable<string> Stores => HasRedis ? [Memory, Sqlite, Redis] : [Memory, Sqlite];

    private static bool HasRedis => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, "redis-server")));

    /// <summary>Fills the store.</summary>
    [GlobalSetup]
    public async Task SetUpAsync()
    {
        _subject = Store switch
        {
            Sqlite => await Subject.OnSqliteAsync(Devices),
            Redis => await Subject.OnRedisAsync(Devices),
            _ => null,
        };
        _store = _subject?.Store ?? (IDeviceStore)new OneRecordStore((await Fleet.Paired(Devices, DateTimeOffset.UtcNow).LastAsync(d => d.Record.Id == _claim.Device)).Record);
        _registry = new DeviceRegistry(_store);
        if (await AdmitAsync() is not Admission.Admitted)
            throw new InvalidOperationException("The device was not admitted.");
    }

    /// <summary>Deletes what was made for it.</summary>
    [GlobalCleanup]
    public async Task CleanUpAsync()
    {
        if (_subject is not null)
            await _subject.DisposeAsync();
    }

    /// <summary>The record, from the store.</summary>
    [Benchmark]
    public ValueTask<StoredDevice> FindAsync() => _store.GetAsync(_claim.Device, CancellationToken.None);

    /// <summary>The record, and what the policy makes of it.</summary>
    [Benchmark]
    public ValueTask<Admission> AdmitAsync() => _registry.AdmitAsync(_claim, Origin, Rules, CancellationToken.None);
}
