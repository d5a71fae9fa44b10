using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A store whose reads hold on to their threads until they are let go, as a file on a disk that does not answer would.</summary>
internal sealed class BlockingStore(IDeviceStore inner) : DelegatingStore(inner), IDisposable
{
    private readonly ManualResetEventSlim _mayRead = new(initialState: true);
    private int _blocked;

    /// <summary>How many reads hold on to a thread.</summary>
    public int Blocked => Volatile.Read(ref _blocked);

    public void Block() => _mayRead.Reset();

    public void Release() => _mayRead.Set();

    public override ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _blocked);
        _mayRead.Wait(CancellationToken.None);
        Interlocked.Decrement(ref _blocked);
        return base.GetAsync(id, cancellationToken);
    }

    public void Dispose() => _mayRead.Dispose();
}
