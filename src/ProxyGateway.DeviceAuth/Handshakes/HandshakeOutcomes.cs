using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>What a decision or a close frame is as the outcome of a handshake.</summary>
internal static class HandshakeOutcomes
{
    private static readonly Dictionary<Closing, HandshakeOutcome> ByClosing = new()
    {
        [Closing.ProtocolError] = HandshakeOutcome.HandshakeInvalid,
        [Closing.InvalidUtf8] = HandshakeOutcome.HandshakeInvalid,
        [Closing.TooLarge] = HandshakeOutcome.HandshakeInvalid,
        [Closing.HandshakeTimeout] = HandshakeOutcome.TimedOut,
        [Closing.IdentityRequired] = HandshakeOutcome.IdentityRequired,
        [Closing.IdentityMismatch] = HandshakeOutcome.ProofInvalid,
        [Closing.PublicKeyInvalid] = HandshakeOutcome.ProofInvalid,
        [Closing.SignatureInvalid] = HandshakeOutcome.ProofInvalid,
        [Closing.SignatureExpired] = HandshakeOutcome.ProofInvalid,
        [Closing.NonceRequired] = HandshakeOutcome.ProofInvalid,
        [Closing.NonceMismatch] = HandshakeOutcome.ProofInvalid,
        [Closing.ProofUsed] = HandshakeOutcome.ProofUsed,
        [Closing.SessionTokenInvalid] = HandshakeOutcome.SessionTokenInvalid,
        [Closing.SessionTokensOff] = HandshakeOutcome.SessionTokenInvalid,
        [Closing.InsufficientScope] = HandshakeOutcome.InsufficientScope,
        [Closing.Unauthorized] = HandshakeOutcome.Unauthorized,
        [Closing.DeviceRemoved] = HandshakeOutcome.Revoked,
        [Closing.DeviceBlocked] = HandshakeOutcome.Revoked,
        [Closing.GrantRevoked] = HandshakeOutcome.Revoked,
        [Closing.TryAgainLater] = HandshakeOutcome.Busy,
        [Closing.RegistryUnavailable] = HandshakeOutcome.RegistryUnavailable,
        [Closing.BackendHandshakeFailed] = HandshakeOutcome.BackendFailed,
        [Closing.InternalError] = HandshakeOutcome.Failed,
        [Closing.Restarting] = HandshakeOutcome.GatewayRestarting,
    };

    /// <summary>The outcome of a decision.</summary>
    public static HandshakeOutcome Of(Admission admission) => admission switch
    {
        Admission.Admitted => HandshakeOutcome.Admitted,
        Admission.Refused { Request.Status: PairingRequestStatus.Rejected } => HandshakeOutcome.Rejected,
        Admission.Refused => HandshakeOutcome.PairingRequired,
        Admission.Blocked => HandshakeOutcome.Blocked,
        Admission.Unauthorized => HandshakeOutcome.Unauthorized,
        Admission.UsedBefore => HandshakeOutcome.ProofUsed,
        Admission.Outdated => HandshakeOutcome.SessionTokenOutdated,
        Admission.TooManyRequests => HandshakeOutcome.TooManyRequests,
        Admission.RefusedByFilter { HasFailed: true } => HandshakeOutcome.Failed,
        Admission.RefusedByFilter => HandshakeOutcome.FilterRefused,
        Admission.Restarting => HandshakeOutcome.GatewayRestarting,
        Admission.Busy => HandshakeOutcome.Busy,
        Admission.Unavailable => HandshakeOutcome.RegistryUnavailable,
        _ => HandshakeOutcome.Failed,
    };

    /// <summary>The outcome of a budget that is used up.</summary>
    public static HandshakeOutcome Of(BudgetScope exhausted) => exhausted switch
    {
        BudgetScope.Rate => HandshakeOutcome.OverRate,
        BudgetScope.Address => HandshakeOutcome.OverAddress,
        BudgetScope.Destination => HandshakeOutcome.OverDestination,
        _ => HandshakeOutcome.OverAll,
    };

    /// <summary>The outcome of a handshake that ends with a close frame. Its reason may be any text; the outcome is one of few.</summary>
    public static HandshakeOutcome Of(Closing closing) =>
        ByClosing.TryGetValue(closing, out HandshakeOutcome known) ? known
        : closing.Reason.StartsWith("invalid handshake", StringComparison.Ordinal) ? HandshakeOutcome.HandshakeInvalid
        : closing.Reason.StartsWith("pairing required: by the backend", StringComparison.Ordinal) ? HandshakeOutcome.BackendRefused
        : HandshakeOutcome.FilterRefused;
}
