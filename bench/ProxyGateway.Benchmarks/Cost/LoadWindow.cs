namespace ProxyGateway.Benchmarks.Cost;

/// <summary>The time in which load counts, as seen by those who make it: warm-up, measurement, end.</summary>
internal sealed class LoadWindow(Peer peer)
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);

    private volatile bool _isOpen;
    private volatile bool _isOver;

    /// <summary>Whether what is done now counts.</summary>
    public bool IsOpen => _isOpen;

    /// <summary>Whether no more is to be begun.</summary>
    public bool IsOver => _isOver;

    /// <summary>What the peer has used while the window was open.</summary>
    public TimeSpan ProcessorTime { get; private set; }

    /// <summary>What its registry has used meanwhile.</summary>
    public TimeSpan RegistryTime { get; private set; }

    public async Task PassAsync(TimeSpan duration)
    {
        await Task.Delay(WarmUp);
        (TimeSpan own, TimeSpan registry) = (peer.ProcessorTime(), peer.RegistryTime());
        _isOpen = true;
        await Task.Delay(duration);
        _isOpen = false;
        (ProcessorTime, RegistryTime) = (peer.ProcessorTime() - own, peer.RegistryTime() - registry);
        _isOver = true;
    }
}
