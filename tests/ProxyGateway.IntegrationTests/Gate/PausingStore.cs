using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A store in which one read can be held up after it has read, as a slow network would.</summary>
internal sealed class PausingStore(IDeviceStore inner) : DelegatingStore(inner)
{
    private readonly TaskCompletionSource _paused = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _continue = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _armed;

    /// <summary>Completes once a read is held up.</summary>
    public Task Paused => _paused.Task;

    public void PauseAfterNextRead() => _armed = 1;

    public void Continue() => _continue.SetResult();

    public override async ValueTask<StoredDevice> GetAsync(DeviceId id, CancellationToken cancellationToken)
    {
        StoredDevice stored = await base.GetAsync(id, cancellationToken);
        if (Interlocked.Exchange(ref _armed, 0) == 1)
        {
            _paused.SetResult();
            await _continue.Task.WaitAsync(cancellationToken);
        }

        return stored;
    }
}
