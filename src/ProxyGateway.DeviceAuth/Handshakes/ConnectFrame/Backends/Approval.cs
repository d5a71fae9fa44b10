namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

/// <summary>What came of an approval at a backend.</summary>
/// <param name="IsConfigured">Whether the gate may approve at this backend at all.</param>
/// <param name="Problem">Why nothing is approved; null if it is.</param>
internal readonly record struct Approval(bool IsConfigured, string? Problem)
{
    /// <summary>The backend has approved it.</summary>
    public static Approval Done => new(IsConfigured: true, Problem: null);

    /// <summary>The gate has no token of this backend.</summary>
    public static Approval NotConfigured => new(IsConfigured: false, "nothing is configured");

    /// <summary>Whether more was approved than is granted, and taken back or not: there is no request left that somebody could approve.</summary>
    public bool WasWider { get; private init; }

    /// <summary>It was not approved.</summary>
    public static Approval Failed(string problem) => new(IsConfigured: true, problem);

    /// <summary>More was approved than is granted.</summary>
    public static Approval Wider(string problem) => new(IsConfigured: true, problem) { WasWider = true };
}
