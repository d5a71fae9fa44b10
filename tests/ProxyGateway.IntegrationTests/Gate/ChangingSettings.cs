using ProxyGateway.DeviceAuth;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Settings that change after they were read so many times.</summary>
internal sealed class ChangingSettings(DeviceAuthOptions before, DeviceAuthOptions after) : IDeviceAuthSettings
{
    private readonly DeviceAuthOptions _before = before;
    private DeviceAuthOptions _current = before;
    private int _readsLeft = int.MaxValue;

    public event Action? Changed;

    public DeviceAuthOptions Current
    {
        get
        {
            DeviceAuthOptions current = _current;
            if (Interlocked.Decrement(ref _readsLeft) == 0)
                ChangeNow();
            return current;
        }
    }

    public void Reset() => (_current, _readsLeft) = (_before, int.MaxValue);

    public void ChangeAfter(int reads) => Volatile.Write(ref _readsLeft, reads);

    public void ChangeNow()
    {
        _current = after;
        Changed?.Invoke();
    }
}
