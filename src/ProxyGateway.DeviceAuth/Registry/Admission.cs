using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What became of a claim.</summary>
public abstract record Admission
{
    private Admission()
    {
    }

    /// <summary>Forward the connection.</summary>
    /// <param name="Record">The record that covers the claim.</param>
    /// <param name="Rule">The rule that approved it just now; null if it was covered already.</param>
    /// <param name="Now">The store's time when the record was read.</param>
    public sealed record Admitted(DeviceRecord Record, string? Rule, DateTimeOffset Now) : Admission;

    /// <summary>An operator has blocked the device. No request was opened.</summary>
    public sealed record Blocked : Admission;

    /// <summary>The claim is not covered, and may not ask to be. Nothing was written.</summary>
    public sealed record Unauthorized : Admission;

    /// <summary>An operator has to approve, or has rejected.</summary>
    /// <param name="Reason">What is not covered.</param>
    /// <param name="Request">The request that stands for the ask.</param>
    /// <param name="Record">What was on record when it was decided; null if nothing.</param>
    /// <param name="IsNew">Whether the request was opened by this very claim.</param>
    public sealed record Refused(PairingReason Reason, PairingRequest Request, DeviceRecord? Record, bool IsNew) : Admission;

    /// <summary>No more requests can be opened at this time.</summary>
    public sealed record TooManyRequests : Admission;

    /// <summary>Too many came before it, or its record changes all the time: it may come again at once. The registry is there.</summary>
    public sealed record Busy : Admission;

    /// <summary>The registry cannot tell.</summary>
    public sealed record Unavailable : Admission;
}
