using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Benchmarks;

/// <summary>Devices whose keys are kept nowhere.</summary>
internal static class TemporaryDevice
{
    public static DeviceIdentity Create() => DeviceIdentity.Create();
}
