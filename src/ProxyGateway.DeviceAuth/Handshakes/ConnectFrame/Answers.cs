using System.Buffers;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>The answers to a refused <c>connect</c> request, in the terms that the protocol's own clients understand.</summary>
internal static class Answers
{
    private const string DeviceHint =
        "This gateway admits devices: connect with a device key, and have it paired. Who runs the gateway can admit clients without one on its own machine "
        + "(DeviceAuth:Pairing:Deviceless); its log says what was missing.";

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryAtOnce = TimeSpan.FromMilliseconds(250);

    /// <summary>The request violates the protocol.</summary>
    /// <param name="id">The request's id.</param>
    /// <param name="problem">The error, in the gate's own words.</param>
    public static Refusal InvalidHandshake(string id, string problem)
    {
        Closing closing = Closing.InvalidHandshake(problem);
        return Refuse(closing, id, "INVALID_REQUEST");
    }

    /// <summary>The proof is invalid.</summary>
    public static Refusal ProofFailed(string id, ProofFailure failure) => failure switch
    {
        ProofFailure.IdentityRequired => Refuse(Closing.IdentityRequired, id, "NOT_PAIRED", "DEVICE_IDENTITY_REQUIRED", hint: DeviceHint),
        ProofFailure.PublicKeyInvalid => Refuse(Closing.PublicKeyInvalid, id, "INVALID_REQUEST", "DEVICE_AUTH_PUBLIC_KEY_INVALID", "device-public-key"),
        ProofFailure.IdentityMismatch => Refuse(Closing.IdentityMismatch, id, "INVALID_REQUEST", "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch"),
        ProofFailure.NonceRequired => Refuse(Closing.NonceRequired, id, "INVALID_REQUEST", "DEVICE_AUTH_NONCE_REQUIRED", "device-nonce-missing"),
        ProofFailure.NonceMismatch => Refuse(Closing.NonceMismatch, id, "INVALID_REQUEST", "DEVICE_AUTH_NONCE_MISMATCH", "device-nonce-mismatch"),
        ProofFailure.SignatureExpired => Refuse(Closing.SignatureExpired, id, "INVALID_REQUEST", "DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale"),
        ProofFailure.SignatureInvalid => Refuse(Closing.SignatureInvalid, id, "INVALID_REQUEST", "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature"),
        _ => throw new ArgumentOutOfRangeException(nameof(failure), failure, message: null),
    };

    /// <summary>The claim was decided, and the device not admitted.</summary>
    /// <param name="id">The request's id.</param>
    /// <param name="claim">The claim.</param>
    /// <param name="admission">The decision.</param>
    /// <param name="waits">Whether the client may wait on its connection until its pairing request is resolved.</param>
    public static Refusal Refused(string id, DeviceClaim claim, Admission admission, bool waits = false) => admission switch
    {
        Admission.Refused refused => PairingRequired(id, claim, refused, waits),
        Admission.Blocked => Blocked(id, claim),
        Admission.Unauthorized => Refuse(Closing.Unauthorized, id, "INVALID_REQUEST", "AUTH_TOKEN_MISMATCH"),
        Admission.RefusedByFilter refused => RefusedByFilter(id, refused.HasFailed ? Closing.InternalError : Closing.ByApplication(refused.Reason)),
        Admission.Restarting => Restarting(id),
        Admission.TooManyRequests or Admission.Busy => TryAgainLater(id),
        _ => Unavailable(Closing.RegistryUnavailable, id),
    };

    /// <summary>The gateway is stopping.</summary>
    public static Refusal Restarting(string id) => Unavailable(Closing.Restarting, id);

    /// <summary>Too many requests are open, or too many sessions of the device.</summary>
    public static Refusal TryAgainLater(string id) => Unavailable(Closing.TryAgainLater, id);

    /// <summary>
    /// The session was closed while the device was being admitted. The answer says that the device is not paired only if something was
    /// taken from it: otherwise an outage of the registry or the gateway would make it give up its pairing.
    /// </summary>
    public static Refusal ClosedMeanwhile(string id, Closing closing) =>
        closing == Closing.DeviceRemoved || closing == Closing.DeviceBlocked || closing == Closing.GrantRevoked
            ? Refuse(closing, id, "NOT_PAIRED")
            : closing == Closing.IdentityRequired
            ? ProofFailed(id, ProofFailure.IdentityRequired) // a reload has taken the rule away that let it in without a device
            : Unavailable(closing, id);

    /// <summary>A filter of the application refuses the device, or has failed.</summary>
    public static Refusal RefusedByFilter(string id, Closing closing) => Refuse(closing, id, "INVALID_REQUEST");

    /// <summary>
    /// The backend asked a pairing question of its own, and the gate has answered it: the client has to connect once more, as its request is signed for the
    /// connection that the backend has closed.
    /// </summary>
    public static Refusal ApprovedAtBackend(string id) => Unavailable(Closing.TryAgainLater, id, RetryAtOnce, static json =>
    {
        // The only reason for which clients come again by themselves at once, and without an error; those that do not know it come again after a second.
        json.WriteString("reason"u8, "startup-sidecars"u8);
        WriteRetry(json);
    });

    /// <summary>The backend asks a pairing question of its own, which the gate should have answered and could not.</summary>
    public static Refusal NotApprovedAtBackend(string id, BackendRefusal refusal) => Unavailable(Closing.TryAgainLater, id, RetryAfter, json =>
    {
        json.WriteString("reason"u8, "backend-pairing"u8);
        json.WriteString("requestId"u8, refusal.RequestId);
        json.WriteString("remediationHint"u8, $"The backend has not approved this device yet. Its owner can: {refusal.OwnersCommand}");
        WriteRetry(json);
    });

    /// <summary>
    /// The backend asks a pairing question of its own, which its owner has to answer: what the backend says, but that the client goes on trying.
    /// </summary>
    public static Refusal BackendAsks(string id, DeviceClaim claim, BackendRefusal refusal) => new(
        Closing.PairingRequiredByBackend(refusal.RequestId!),
        Answer(id, "NOT_PAIRED", $"pairing required at the backend: {refusal.Reason ?? "not-paired"}", json =>
        {
            json.WriteStartObject("details"u8);
            json.WriteString("code"u8, "PAIRING_REQUIRED"u8);
            json.WriteOptional("reason"u8, refusal.Reason);
            json.WriteString("requestId"u8, refusal.RequestId);
            json.WriteString("deviceId"u8, claim.Device.ToString());
            json.WriteString("requestedRole"u8, claim.Role);
            WriteList(json, "requestedScopes"u8, claim.Scopes);
            json.WriteString("remediationHint"u8, $"The gateway has admitted this device, and the backend behind it asks again. Its owner can approve it: {refusal.OwnersCommand}");
            json.WriteBoolean("retryable"u8, true);
            WriteRetry(json);
            json.WriteEndObject();
        }));

    /// <summary>An operator has blocked the device: it need not ask again by itself.</summary>
    private static Refusal Blocked(string id, DeviceClaim claim) => new(Closing.DeviceBlocked, Answer(id, "NOT_PAIRED", Closing.DeviceBlocked.Reason, json =>
    {
        json.WriteStartObject("details"u8);
        json.WriteString("code"u8, "PAIRING_REQUIRED"u8);
        json.WriteString("reason"u8, "blocked"u8);
        json.WriteString("deviceId"u8, claim.Device.ToString());
        json.WriteString("remediationHint"u8, "An operator of the gateway has blocked this device. Ask them before you try again."u8);
        json.WriteString("recommendedNextStep"u8, "contact_operator"u8);
        json.WriteBoolean("retryable"u8, false);
        json.WriteBoolean("pauseReconnect"u8, true);
        json.WriteEndObject();
    }));

    /// <summary>An operator must approve, or has rejected.</summary>
    private static Refusal PairingRequired(string id, DeviceClaim claim, Admission.Refused refused, bool waits)
    {
        PairingRequest request = refused.Request;
        bool rejected = request.Status == PairingRequestStatus.Rejected;
        Closing closing = rejected ? Closing.PairingRejected(request.Id) : Closing.PairingRequired(refused.Reason, request.Id);
        string message = rejected ? "pairing rejected" : $"pairing required: {Closing.Describe(refused.Reason)}";
        byte[] answer = Answer(id, "NOT_PAIRED", message, json =>
        {
            json.WriteStartObject("details"u8);
            json.WriteString("code"u8, "PAIRING_REQUIRED"u8);
            json.WriteString("reason"u8, refused.Reason.ToWireName());
            json.WriteString("requestId"u8, request.Id.ToString());
            json.WriteString("deviceId"u8, claim.Device.ToString());
            json.WriteString("requestedRole"u8, claim.Role);
            WriteList(json, "requestedScopes"u8, claim.Scopes);
            if (refused.Record is { } record && record.IsPairedFor(request.Audience))
            {
                WriteList(json, "approvedRoles"u8, record.Grants.Keys.Where(k => k.Audience == request.Audience).Select(k => k.Role).Take(RuleBounds.Roles)); // rules approve no more
                WriteList(json, "approvedScopes"u8, record.ScopesOf(request.Key).Take(RuleBounds.Scopes));
            }

            json.WriteString("remediationHint"u8, rejected
                ? "An operator of the gateway has rejected this request. Ask them before you try again."
                : $"An operator of the gateway can approve it: proxygateway requests approve {request.Id}");

            // Without these two the client would stop for good, even after approval.
            json.WriteString("recommendedNextStep"u8, rejected ? "contact_operator"u8 : "wait_then_retry"u8);
            json.WriteBoolean("retryable"u8, !rejected);
            json.WriteBoolean("pauseReconnect"u8, rejected);
            if (waits)
                json.WriteBoolean("waitForResolution"u8, true);
            json.WriteEndObject();
        });
        return new Refusal(closing, answer);
    }

    private static Refusal Refuse(Closing closing, string id, string code, string? detailsCode = null, string? reason = null, string? hint = null) =>
        new(closing, Answer(id, code, closing.Reason, json =>
        {
            if (detailsCode is null)
                return;
            json.WriteStartObject("details"u8);
            json.WriteString("code"u8, detailsCode);
            json.WriteOptional("reason"u8, reason);
            json.WriteOptional("remediationHint"u8, hint);
            json.WriteEndObject();
        }));

    private static Refusal Unavailable(Closing closing, string id, TimeSpan? retryAfter = null, Action<Utf8JsonWriter>? writeDetails = null) =>
        new(closing, Answer(id, "UNAVAILABLE", closing.Reason, json =>
        {
            if (writeDetails is not null)
            {
                json.WriteStartObject("details"u8);
                writeDetails(json);
                json.WriteEndObject();
            }

            json.WriteBoolean("retryable"u8, true);
            json.WriteNumber("retryAfterMs"u8, (long)(retryAfter ?? RetryAfter).TotalMilliseconds);
        }));

    /// <summary>The request of a client that waits is resolved: the event, as a whole frame.</summary>
    public static byte[] PairingResolved(RequestId request, DeviceId device, PairingResolution resolution, DateTimeOffset now) => Frame(json =>
    {
        json.WriteString("type"u8, "event"u8);
        json.WriteString("event"u8, "device.pair.resolved"u8);
        json.WriteStartObject("payload"u8);
        json.WriteString("requestId"u8, request.ToString());
        json.WriteString("deviceId"u8, device.ToString());
        json.WriteString("decision"u8, resolution.ToWireName());
        json.WriteNumber("ts"u8, now.ToUnixTimeMilliseconds());
        json.WriteEndObject();
    });

    private static void WriteRetry(Utf8JsonWriter json)
    {
        json.WriteString("recommendedNextStep"u8, "wait_then_retry"u8);
        json.WriteBoolean("pauseReconnect"u8, false);
    }

    private static byte[] Answer(string id, string code, string message, Action<Utf8JsonWriter> writeMore) => Frame(json =>
    {
        json.WriteString("type"u8, "res"u8);
        json.WriteString("id"u8, id);
        json.WriteBoolean("ok"u8, false);
        json.WriteStartObject("error"u8);
        json.WriteString("code"u8, code);
        json.WriteString("message"u8, message);
        writeMore(json);
        json.WriteEndObject();
    });

    private static byte[] Frame(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return FrameWriter.Text(buffer.WrittenSpan);
    }

    private static void WriteList(Utf8JsonWriter json, ReadOnlySpan<byte> name, IEnumerable<string> values)
    {
        if (!values.Any())
            return;
        json.WriteStartArray(name);
        foreach (string value in values)
        {
            json.WriteStringValue(value);
        }

        json.WriteEndArray();
    }
}
