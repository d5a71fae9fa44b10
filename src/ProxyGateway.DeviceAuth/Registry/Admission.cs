using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The result of a claim.</summary>
public abstract record Admission
{
    private Admission()
    {
    }

    /// <summary>The connection may be forwarded.</summary>
    /// <param name="Record">The record that covers the claim.</param>
    /// <param name="Rule">The rule that approved it now; null if a grant already covered it.</param>
    /// <param name="Now">The store's time when the record was read.</param>
    public sealed record Admitted(DeviceRecord Record, string? Rule, DateTimeOffset Now) : Admission;

    /// <summary>An operator has blocked the device. No request was opened.</summary>
    public sealed record Blocked : Admission;

    /// <summary>No grant covers the claim, and it may not request one. Nothing was written.</summary>
    public sealed record Unauthorized : Admission;

    /// <summary>The proof was used before: it proves nothing now. Nothing was written.</summary>
    public sealed record UsedBefore : Admission;

    /// <summary>The claim was proved while the record was another, or the record does not cover it any more. Nothing was written.</summary>
    public sealed record Outdated : Admission;

    /// <summary>An operator must approve, or has rejected.</summary>
    /// <param name="Reason">What is not covered.</param>
    /// <param name="Request">The request for this claim.</param>
    /// <param name="Record">The record at the time of the decision; null if there was none.</param>
    /// <param name="IsNew">Whether this claim opened the request.</param>
    public sealed record Refused(PairingReason Reason, PairingRequest Request, DeviceRecord? Record, bool IsNew) : Admission
    {
        /// <summary>Why the invitation that the device has shown does not bring it in; null if it has shown none.</summary>
        public InvitationFault? InvitationFault { get; init; }
    }

    /// <summary>No more requests can be opened now.</summary>
    public sealed record TooManyRequests : Admission;

    /// <summary>A filter of the application refuses the device. Nothing was written.</summary>
    /// <param name="Reason">What the client is told.</param>
    /// <param name="HasFailed">Whether the filter has failed, and not refused.</param>
    public sealed record RefusedByFilter(string Reason, bool HasFailed) : Admission;

    /// <summary>The gateway is stopping: the device may come again at once, to another gateway or to this one's successor.</summary>
    public sealed record Restarting : Admission;

    /// <summary>
    /// Too many claims came before it, or its record changes all the time: it may try again at once. The registry is available.
    /// </summary>
    public sealed record Busy : Admission;

    /// <summary>The registry is unavailable.</summary>
    public sealed record Unavailable : Admission;
}
