namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>The policy's decision about a claim.</summary>
internal abstract record PairingDecision
{
    private PairingDecision()
    {
    }

    /// <summary>The stored grant covers the claim.</summary>
    public sealed record Admit : PairingDecision
    {
        internal static Admit Instance { get; } = new();
    }

    /// <summary>A rule approves exactly the claim.</summary>
    /// <param name="Rule">The rule's name.</param>
    /// <param name="Reason">What was not covered.</param>
    public sealed record AutoApprove(string Rule, PairingReason Reason) : PairingDecision;

    /// <summary>An operator must approve.</summary>
    /// <param name="Reason">What is not covered.</param>
    public sealed record RequirePairing(PairingReason Reason) : PairingDecision;

    /// <summary>An operator has blocked the device.</summary>
    public sealed record Refuse : PairingDecision
    {
        internal static Refuse Instance { get; } = new();
    }

    /// <summary>
    /// A rule would approve if the peer's operating-system user, which is not looked up yet, is one of its users: look it up and decide
    /// again.
    /// </summary>
    public sealed record LookUpPeerUser : PairingDecision
    {
        internal static LookUpPeerUser Instance { get; } = new();
    }
}
