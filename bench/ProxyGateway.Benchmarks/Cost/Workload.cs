using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>A row of the table: something that is done to each peer in turn.</summary>
/// <param name="name">Its name on the command line.</param>
/// <param name="title">Its name in the table, with the unit.</param>
internal abstract class Workload(string name, string title)
{
    private static readonly DeviceIdentity[] Devices = [.. Enumerable.Range(0, 50).Select(static _ => TemporaryDevice.Create())];

    public string Name => name;

    public string Title => title;

    /// <summary>Whether only the gate does anything of the kind.</summary>
    public virtual bool IsOfTheGateOnly => false;

    /// <summary>Whether this peer can do it.</summary>
    public virtual bool Fits(PeerKind kind) => kind.Name != PeerKind.Asking && (!IsOfTheGateOnly || kind.IsGate);

    /// <summary>Whether it takes ways through the peer that handshakes do not, which have to be compiled first.</summary>
    public virtual bool NeedsWarmUp => false;

    /// <summary>Whether what was done before would hide what is measured, so that each time another peer is started for it.</summary>
    public virtual bool NeedsFreshPeer => false;

    /// <summary>One of a few devices, by turns.</summary>
    public static DeviceIdentity Device(int number) => Devices[number % Devices.Length];

    public abstract Task<Measurement> MeasureAsync(Peer peer, RunningAgent agent, TimeSpan duration);
}

/// <summary>What was measured once.</summary>
/// <param name="Figure">In the workload's unit.</param>
/// <param name="Remark">What has to be said besides.</param>
internal sealed record Measurement(double Figure, string? Remark = null);
