namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What one decision uses up. It may read and write several times; once it has made the mark, it must not find it and take itself for a replay.</summary>
internal sealed class PendingUse
{
    private readonly UseOnce _once;

    private PendingUse(UseOnce once) => _once = once;

    /// <summary>Whether this decision has made the mark.</summary>
    public bool IsMarked { get; set; }

    /// <summary>What is still to be marked; null if nothing is.</summary>
    public UseOnce? Open => IsMarked ? null : _once;

    public static PendingUse? Of(UseOnce? once) => once is null ? null : new PendingUse(once);
}
