using ProxyGateway.Connecting;

namespace ProxyGateway.Benchmarks;

/// <summary>Devices whose keys are kept nowhere.</summary>
internal static class TemporaryDevice
{
    public static DeviceIdentity Create()
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("proxygateway-bench-").FullName, "identity.json");
        DeviceIdentity identity = DeviceIdentity.LoadOrCreate(file);
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        return identity;
    }
}
