using System.Collections.Concurrent;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Registry.Interleaving;

/// <summary>Everything that gateways read, tried to write and were told, with the order of what did not overlap.</summary>
internal sealed class History(DeviceClaim[] devices, PairingRules rules)
{
    private int _time;

    public DeviceClaim[] Devices { get; } = devices;

    public PairingRules Rules { get; } = rules;

    public ConcurrentQueue<Performance> Performances { get; } = [];

    /// <summary>The requests that devices were told of, with the store's time of the read they were decided by.</summary>
    public ConcurrentQueue<(PairingRequest Request, DateTimeOffset At)> Told { get; } = [];

    /// <summary>Later than every tick before it.</summary>
    public int Tick() => Interlocked.Increment(ref _time);

    public Performance Begin(Operation operation)
    {
        var performance = new Performance(this, operation);
        Performances.Enqueue(performance);
        return performance;
    }
}

/// <summary>A operation as it went.</summary>
internal sealed class Performance(History history, Operation operation)
{
    public History History { get; } = history;

    public Operation Operation { get; } = operation;

    /// <summary>The request that the operation is about, if any.</summary>
    public RequestId? Request { get; set; }

    public List<Read> Reads { get; } = [];

    public List<Attempt> Attempts { get; } = [];

    /// <summary>Whether the caller was told that something changed; null if it was told nothing.</summary>
    public bool? Acknowledged { get; set; }

    /// <summary>What the claim, the operator or the rules were given to work with.</summary>
    public DeviceClaim Claim => History.Devices[Operation.Device] with { Role = Operation.Role, Scopes = Operation.Scopes };

    public Operator Operator => new($"ops{Operation.Gateway}");

    public ClaimOrigin Origin => new(
        new Locality(Operation.FromLoopback), Operation.FromLoopback ? "127.0.0.1" : $"192.0.2.{Operation.Gateway}", () => PeerUser.Unknown);
}

/// <summary>A document as it was read.</summary>
/// <param name="Device">Whose.</param>
/// <param name="Record">The record; null if there was none.</param>
/// <param name="Now">The store's time.</param>
/// <param name="Start">The tick before it was read.</param>
internal sealed record Read(DeviceId Device, DeviceRecord? Record, DateTimeOffset Now, int Start);

/// <summary>A swap that was tried.</summary>
internal sealed record Attempt(Performance By, Read Read, DeviceSwap Swap)
{
    /// <summary>How it went; null if its gateway never heard.</summary>
    public SwapResult? Result { get; set; }

    /// <summary>The store's time once it was acknowledged.</summary>
    public DateTimeOffset Latest { get; set; } = DateTimeOffset.MaxValue;

    /// <summary>The tick after it was acknowledged.</summary>
    public int End { get; set; } = int.MaxValue;

    /// <summary>Anything else moves a time on, and keeps the version.</summary>
    public bool IsOfSubstance => Swap.Previous?.Version != Swap.Next.Version;
}
