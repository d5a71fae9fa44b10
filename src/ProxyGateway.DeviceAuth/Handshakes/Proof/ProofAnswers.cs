using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// Every answer to a request that is not forwarded. Never 404, on which older MCP clients initialize again, and 401 only where a client evidently makes
/// proofs, since MCP clients begin an OAuth flow on it.
/// </summary>
internal static class ProofAnswers
{
    private const string Algorithms = "algs=\"ES256 EdDSA Ed25519\"";
    private const int WhileAnOperatorDecides = 5; // seconds
    private const int Soon = 1;

    /// <summary>The application or the gate itself has failed.</summary>
    public static readonly ProofAnswer InternalError = new(
        StatusCodes.Status500InternalServerError, "internal_error", "The gateway has failed.", "See its log.", Closing.InternalError);

    private static readonly ProofAnswer UsedBefore = new(
        StatusCodes.Status401Unauthorized,
        "proof_already_used",
        "The proof was used before.",
        "Make a new proof, with a jti of its own, for each request, also for one that is sent again.",
        Closing.ProofUsed)
    {
        Challenge = "error=\"invalid_dpop_proof\"",
        Claim = "jti",
        IsRetryable = true,
    };

    private static readonly ProofAnswer Unavailable = Later("registry_unavailable", "The registry is unavailable.", Closing.RegistryUnavailable);

    public static readonly ProofAnswer Busy = Later("try_again_later", "Too much is going on.", Closing.TryAgainLater);

    public static readonly ProofAnswer Restarting = Later("restarting", "The gateway is restarting.", Closing.Restarting);

    /// <summary>The page's origin is not allowed.</summary>
    public static readonly ProofAnswer OriginRefused = new(
        StatusCodes.Status403Forbidden, "origin_refused", "Pages of this origin may not connect.", "Its owner can add the origin to DeviceAuth:AllowedOrigins.", Closing.Unauthorized)
    {
        IsRetryable = false,
    };

    /// <summary>A budget of the client's own is used up.</summary>
    public static readonly ProofAnswer TooMany = new(
        StatusCodes.Status429TooManyRequests, "too_many_handshakes", "Too many requests come from this address.", "Try again later.", Closing.TryAgainLater)
    {
        IsRetryable = true,
        RetryAfter = Soon,
    };

    /// <summary>The device is known, and the application's authorization does not let it do this.</summary>
    public static readonly ProofAnswer Forbidden = new(
        StatusCodes.Status403Forbidden, "insufficient_scope", "The device may not do this.", "The application asks for a role or scopes that this request does not have.", Closing.InsufficientScope)
    {
        IsRetryable = false,
    };

    /// <summary>No session token is taken where one is asked for. Strangers do not learn which routes there are.</summary>
    public static readonly ProofAnswer SessionTokensOff = new(
        StatusCodes.Status403Forbidden,
        "session_tokens_not_allowed",
        "There are no session tokens for this route or audience.",
        "No such route has DeviceAuth.SessionTokens set to Allow. Send a proof with each request.",
        Closing.SessionTokensOff)
    {
        IsRetryable = false,
    };

    /// <summary>What a session token is to be for is not said as it must be.</summary>
    public static readonly ProofAnswer InvalidSessionRequest = new(
        StatusCodes.Status400BadRequest,
        "invalid_request",
        "The request for a session token is malformed.",
        $$"""Its body must be {"route":"<name>"} or {"audience":"<name>"}, in at most {{SessionRequest.MaxSize}} bytes.""",
        Closing.InvalidHandshake("the request for a session token"))
    {
        IsRetryable = false,
    };

    /// <summary>There is no proof in the request.</summary>
    public static ProofAnswer ProofRequired(ProofRoute route) => new(
        route.IsDPoP ? StatusCodes.Status401Unauthorized : StatusCodes.Status403Forbidden,
        "device_proof_required",
        "This route admits devices by a proof.",
        $"Send a proof of the device's key (a DPoP proof JWT, RFC 9449, with the nonce of {route.NonceHeader}) in the header {route.ProofHeader}.",
        Closing.IdentityRequired)
    {
        Challenge = route.IsDPoP ? Algorithms : null,
    };

    /// <summary>The proof does not hold.</summary>
    /// <param name="found">What was found.</param>
    /// <param name="expectedHtu">What its claim <c>htu</c> must be.</param>
    public static ProofAnswer Invalid(ProofExamination found, string expectedHtu)
    {
        ProofFault fault = found.Fault!;
        bool isNonce = fault == ProofFault.NonceRequired;
        return new ProofAnswer(
            StatusCodes.Status401Unauthorized,
            isNonce ? "use_dpop_nonce" : "invalid_dpop_proof",
            isNonce ? "The proof needs a fresh nonce." : $"The proof does not hold: {fault.Part}.",
            fault.Detail,
            fault.Closing)
        {
            Challenge = isNonce ? "error=\"use_dpop_nonce\"" : "error=\"invalid_dpop_proof\"",
            Claim = fault.Part,
            ExpectedHtu = fault == ProofFault.Url ? expectedHtu : null,
            ClockOffset = found.ClockOffset,
            IsRetryable = isNonce,
        };
    }

    /// <summary>The session token does not hold.</summary>
    public static ProofAnswer Invalid(SessionTokenFault fault) => new(
        StatusCodes.Status401Unauthorized, "invalid_session_token", "The session token does not hold.", fault.Detail, Closing.SessionTokenInvalid)
    {
        Challenge = "error=\"invalid_token\"",
        Reason = fault.Reason,
        IsRetryable = true,
    };

    /// <summary>The claim asks for less than the route needs.</summary>
    public static ProofAnswer InsufficientScope(DeviceClaim claim, ProofRoute route) => new(
        StatusCodes.Status403Forbidden,
        "insufficient_scope",
        "The proof does not ask for the scopes of this route.",
        $"This route needs: {route.Scopes}.",
        Closing.InsufficientScope)
    {
        DeviceId = claim.Device.ToString(),
        IsRetryable = false,
    };

    /// <summary>The claim was decided, and the device not admitted.</summary>
    public static ProofAnswer Refused(DeviceClaim claim, Admission admission) => admission switch
    {
        Admission.Refused refused => PairingRequired(claim, refused),
        Admission.Blocked => Blocked(claim),
        Admission.Unauthorized => new ProofAnswer(
            StatusCodes.Status403Forbidden,
            "unauthorized",
            "The device is not paired, and may not ask to be.",
            "This gateway lets a device ask only with a shared token (DeviceAuth:SharedToken), which a proof cannot carry. An operator can pair the device.",
            Closing.Unauthorized)
        {
            DeviceId = claim.Device.ToString(),
            IsRetryable = false,
        },
        Admission.UsedBefore => UsedBefore,
        Admission.Outdated => Invalid(SessionTokenFault.Outdated),
        Admission.RefusedByFilter { HasFailed: true } => InternalError,
        Admission.RefusedByFilter refused => new ProofAnswer(
            StatusCodes.Status403Forbidden, "refused", "The application refuses the device.", refused.Reason, Closing.ByApplication(refused.Reason))
        {
            DeviceId = claim.Device.ToString(),
            IsRetryable = false,
        },
        Admission.Restarting => Restarting,
        Admission.TooManyRequests or Admission.Busy => Busy,
        _ => Unavailable,
    };

    /// <summary>The session has ended between the decision and the forwarding.</summary>
    public static ProofAnswer EndedMeanwhile(DeviceClaim claim, Closing closing)
    {
        if (closing == Closing.DeviceBlocked)
            return Blocked(claim);
        if (closing != Closing.DeviceRemoved && closing != Closing.GrantRevoked)
            return closing == Closing.Restarting ? Restarting : Unavailable;
        return new ProofAnswer(
            StatusCodes.Status403Forbidden, "pairing_required", "The device is no longer paired.", $"An operator has taken its grant back: {closing.Reason}.", closing)
        {
            DeviceId = claim.Device.ToString(),
            IsRetryable = true,
            RetryAfter = WhileAnOperatorDecides,
        };
    }

    /// <summary>The registry cannot be reached before a decision.</summary>
    public static ProofAnswer RegistryUnavailable => Unavailable;

    private static ProofAnswer PairingRequired(DeviceClaim claim, Admission.Refused refused)
    {
        PairingRequest request = refused.Request;
        bool isRejected = request.Status == PairingRequestStatus.Rejected;
        return new ProofAnswer(
            StatusCodes.Status403Forbidden,
            isRejected ? "pairing_rejected" : "pairing_required",
            isRejected ? "Pairing rejected." : $"Pairing required: {Closing.Describe(refused.Reason)}.",
            isRejected
                ? "An operator of the gateway has rejected this request. Ask them before you try again."
                : $"{Invitation(refused.InvitationFault)}An operator of the gateway can approve it: proxygateway requests approve {request.Id}",
            isRejected ? Closing.PairingRejected(request.Id) : Closing.PairingRequired(refused.Reason, request.Id))
        {
            DeviceId = claim.Device.ToString(),
            RequestId = request.Id.ToString(),
            Reason = refused.Reason.ToWireName(),
            IsRetryable = !isRejected,
            RetryAfter = isRejected ? null : WhileAnOperatorDecides,
        };
    }

    private static string? Invitation(InvitationFault? fault) => fault switch
    {
        null => null,
        InvitationFault.UsedUp => "The invitation was used before, as often as it can be. ",
        InvitationFault.OtherGrant => "The invitation is for another audience or role, or for fewer scopes. ",
        InvitationFault.DecidedOtherwise => "The invitation does not change what an operator has decided about this device. ",
        _ => "There is no such invitation, or it has expired. ",
    };

    private static ProofAnswer Blocked(DeviceClaim claim) => new(
        StatusCodes.Status403Forbidden,
        "device_blocked",
        "The device is blocked.",
        "An operator of the gateway has blocked this device. Ask them before you try again.",
        Closing.DeviceBlocked)
    {
        DeviceId = claim.Device.ToString(),
        Reason = "blocked",
        IsRetryable = false,
    };

    private static ProofAnswer Later(string code, string title, Closing closing) =>
        new(StatusCodes.Status503ServiceUnavailable, code, title, "Try again later.", closing) { IsRetryable = true, RetryAfter = Soon };
}
