using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.Tests.Sessions;

/// <summary>Sessions in a table of their own, with no registry behind it.</summary>
internal static class SomeSession
{
    public static DeviceSession Of(DeviceClaim claim, TimeProvider? time = null)
    {
        return new SessionTable(new DeviceRegistry(null!), new Settings(), time ?? TimeProvider.System).TryEnter(claim, Some.Origin, limit: 1)!;
    }

    private sealed class Settings : IDeviceAuthSettings
    {
        public DeviceAuthOptions Current { get; } = new();
    }
}
