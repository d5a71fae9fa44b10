using System.Text;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>A close code and its reason. Every one that the gate sends is made here.</summary>
/// <param name="Code">RFC 6455 §7.4.</param>
/// <param name="Reason">One line of at most 123 bytes of UTF-8, without secrets.</param>
internal sealed record Closing(ushort Code, string Reason)
{
    private const int MaxReasonBytes = 123;
    private const ushort PolicyViolation = 1008;
    private const ushort ServiceRestart = 1012;
    private const ushort TryAgainLaterCode = 1013;

    /// <summary>Sent to a backend: the client has closed.</summary>
    public static readonly Closing ClientLeft = new(1000, "");

    // Violations of RFC 6455 itself.
    public static readonly Closing ProtocolError = new(1002, "protocol error");
    public static readonly Closing InvalidUtf8 = new(1007, "invalid UTF-8");
    public static readonly Closing TooLarge = new(1009, "handshake too large");

    // The handshake.
    public static readonly Closing HandshakeTimeout = new(PolicyViolation, "handshake timeout");
    public static readonly Closing IdentityRequired = new(PolicyViolation, "device identity required");
    public static readonly Closing IdentityMismatch = new(PolicyViolation, "device identity mismatch");
    public static readonly Closing PublicKeyInvalid = new(PolicyViolation, "device public key invalid");
    public static readonly Closing SignatureInvalid = new(PolicyViolation, "device signature invalid");
    public static readonly Closing SignatureExpired = new(PolicyViolation, "device signature expired");
    public static readonly Closing NonceRequired = new(PolicyViolation, "device nonce required");
    public static readonly Closing NonceMismatch = new(PolicyViolation, "device nonce mismatch");

    public static readonly Closing ProofUsed = new(PolicyViolation, "proof already used");
    public static readonly Closing SessionTokenInvalid = new(PolicyViolation, "session token invalid");
    public static readonly Closing SessionTokensOff = new(PolicyViolation, "session tokens not allowed");

    // Admission.
    public static readonly Closing InsufficientScope = new(PolicyViolation, "insufficient scope");
    public static readonly Closing Unauthorized = new(PolicyViolation, "unauthorized");
    public static readonly Closing DeviceRemoved = new(PolicyViolation, "device removed");
    public static readonly Closing DeviceBlocked = new(PolicyViolation, "device blocked");
    public static readonly Closing GrantRevoked = new(PolicyViolation, "grant revoked");
    public static readonly Closing TryAgainLater = new(TryAgainLaterCode, "try again later");
    public static readonly Closing RegistryUnavailable = new(TryAgainLaterCode, "registry unavailable");
    public static readonly Closing BackendHandshakeFailed = new(1011, "backend handshake failed");
    public static readonly Closing InternalError = new(1011, "internal error");
    public static readonly Closing Restarting = new(ServiceRestart, "gateway restarting");

    /// <summary>The handshake is invalid.</summary>
    /// <param name="what">The error, in the gate's own words; never a client's.</param>
    public static Closing InvalidHandshake(string what) => new(PolicyViolation, Fit($"invalid handshake: {what}"));

    /// <summary>The proof needs this nonce.</summary>
    public static Closing NonceRequiredWith(string nonce) => new(PolicyViolation, Fit($"{NonceRequired.Reason}: {nonce}"));

    /// <summary>An operator must approve.</summary>
    public static Closing PairingRequired(PairingReason reason, RequestId request) =>
        new(PolicyViolation, Fit($"pairing required: {Describe(reason)} (requestId: {request})"));

    /// <summary>The backend asks again, and its owner has to approve.</summary>
    /// <param name="request">The id of the backend's request; left out if it is too long.</param>
    public static Closing PairingRequiredByBackend(string request) =>
        new(PolicyViolation, request.Length <= 64 ? $"pairing required: by the backend (requestId: {request})" : "pairing required: by the backend");

    /// <summary>An operator has rejected the request.</summary>
    public static Closing PairingRejected(RequestId request) => new(PolicyViolation, Fit($"pairing rejected (requestId: {request})"));

    /// <summary>The request of a client that waited on its connection is resolved.</summary>
    /// <param name="resolution">How, in the protocol's word.</param>
    public static Closing PairingResolved(string resolution) => new(PolicyViolation, Fit($"pairing {resolution}"));

    /// <summary>The embedding application ends the connection.</summary>
    /// <param name="reason">The application's reason.</param>
    /// <exception cref="ArgumentException">The reason is too long.</exception>
    public static Closing ByApplication(string reason) => new(PolicyViolation, Fit(reason));

    /// <summary>The text of a reason on the wire.</summary>
    public static string Describe(PairingReason reason) => reason switch
    {
        PairingReason.NotPaired => "device is not approved yet",
        PairingReason.RoleUpgrade => "device is asking for a higher role than currently approved",
        PairingReason.ScopeUpgrade => "device is asking for more scopes than currently approved",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, message: null),
    };

    private static string Fit(string reason) => Encoding.UTF8.GetByteCount(reason) <= MaxReasonBytes
        ? reason
        : throw new ArgumentException("A close reason is longer than a control frame allows.", nameof(reason));
}
