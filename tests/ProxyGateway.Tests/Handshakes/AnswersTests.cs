using System.Text;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>What a refused device reads, word by word: the protocol's own clients act by it.</summary>
public sealed class AnswersTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly RequestId Id = RequestId.Parse("0123456789abcdefghjkmnpqrs");

    private static readonly BackendRefusal Asks = new("NOT_PAIRED", "PAIRING_REQUIRED", "scope-upgrade", "r1", Retries: false);

    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read", "operator.write");

    [Theory]
    [InlineData(ProofFailure.IdentityRequired, "NOT_PAIRED", "device identity required", "\"code\":\"DEVICE_IDENTITY_REQUIRED\",\"remediationHint\":\"This gateway admits devices: connect with a device key, and have it paired. Who runs the gateway can admit clients without one on its own machine (DeviceAuth:Pairing:Deviceless); its log says what was missing.\"")]
    [InlineData(ProofFailure.PublicKeyInvalid, "INVALID_REQUEST", "device public key invalid", "\"code\":\"DEVICE_AUTH_PUBLIC_KEY_INVALID\",\"reason\":\"device-public-key\"")]
    [InlineData(ProofFailure.IdentityMismatch, "INVALID_REQUEST", "device identity mismatch", "\"code\":\"DEVICE_AUTH_DEVICE_ID_MISMATCH\",\"reason\":\"device-id-mismatch\"")]
    [InlineData(ProofFailure.NonceRequired, "INVALID_REQUEST", "device nonce required", "\"code\":\"DEVICE_AUTH_NONCE_REQUIRED\",\"reason\":\"device-nonce-missing\"")]
    [InlineData(ProofFailure.NonceMismatch, "INVALID_REQUEST", "device nonce mismatch", "\"code\":\"DEVICE_AUTH_NONCE_MISMATCH\",\"reason\":\"device-nonce-mismatch\"")]
    [InlineData(ProofFailure.SignatureExpired, "INVALID_REQUEST", "device signature expired", "\"code\":\"DEVICE_AUTH_SIGNATURE_EXPIRED\",\"reason\":\"device-signature-stale\"")]
    [InlineData(ProofFailure.SignatureInvalid, "INVALID_REQUEST", "device signature invalid", "\"code\":\"DEVICE_AUTH_SIGNATURE_INVALID\",\"reason\":\"device-signature\"")]
    internal void A_proof_that_fails_is_answered_by_what_is_wrong_with_it(ProofFailure failure, string code, string reason, string details) => ShouldBe(
        Answers.ProofFailed("17", failure),
        $"1008 {reason}",
        $$$$"""{"type":"res","id":"17","ok":false,"error":{"code":"{{{{code}}}}","message":"{{{{reason}}}}","details":{{{{{details}}}}}}}""");

    [Fact]
    public void A_proof_that_holds_is_no_failure() => Should.Throw<ArgumentOutOfRangeException>(() => Answers.ProofFailed("17", ProofFailure.None));

    [Fact]
    public void A_device_that_is_not_paired_is_told_whom_to_ask_and_tries_again() => ShouldBe(
        Answers.Refused("17", _claim, new Admission.Refused(PairingReason.NotPaired, Request(), Record: null, IsNew: true)),
        $"1008 pairing required: device is not approved yet (requestId: {Id})",
        $$$$"""
        {"type":"res","id":"17","ok":false,"error":{"code":"NOT_PAIRED","message":"pairing required: device is not approved yet",
        "details":{"code":"PAIRING_REQUIRED","reason":"not-paired","requestId":"{{{{Id}}}}","deviceId":"{{{{_claim.Device}}}}",
        "requestedRole":"operator","requestedScopes":["operator.read","operator.write"],
        "remediationHint":"An operator of the gateway can approve it: proxygateway requests approve {{{{Id}}}}",
        "recommendedNextStep":"wait_then_retry","retryable":true,"pauseReconnect":false}}}
        """);

    [Fact]
    public void A_device_that_is_paired_is_told_what_it_holds() => ShouldBe(
        Answers.Refused("17", _claim, new Admission.Refused(PairingReason.ScopeUpgrade, Request(), Some.Paired(_claim.Asking("operator", "operator.read"), Start), IsNew: true)),
        $"1008 pairing required: device is asking for more scopes than currently approved (requestId: {Id})",
        $$$$"""
        {"type":"res","id":"17","ok":false,"error":{"code":"NOT_PAIRED","message":"pairing required: device is asking for more scopes than currently approved",
        "details":{"code":"PAIRING_REQUIRED","reason":"scope-upgrade","requestId":"{{{{Id}}}}","deviceId":"{{{{_claim.Device}}}}",
        "requestedRole":"operator","requestedScopes":["operator.read","operator.write"],"approvedRoles":["operator"],"approvedScopes":["operator.read"],
        "remediationHint":"An operator of the gateway can approve it: proxygateway requests approve {{{{Id}}}}",
        "recommendedNextStep":"wait_then_retry","retryable":true,"pauseReconnect":false}}}
        """);

    [Fact]
    public void A_device_that_was_rejected_is_told_to_stop() => ShouldBe(
        Answers.Refused(
            "17", _claim.Asking("node"), new Admission.Refused(PairingReason.RoleUpgrade, Request() with { Status = PairingRequestStatus.Rejected }, Record: null, IsNew: false)),
        $"1008 pairing rejected (requestId: {Id})",
        $$$$"""
        {"type":"res","id":"17","ok":false,"error":{"code":"NOT_PAIRED","message":"pairing rejected",
        "details":{"code":"PAIRING_REQUIRED","reason":"role-upgrade","requestId":"{{{{Id}}}}","deviceId":"{{{{_claim.Device}}}}","requestedRole":"node",
        "remediationHint":"An operator of the gateway has rejected this request. Ask them before you try again.",
        "recommendedNextStep":"contact_operator","retryable":false,"pauseReconnect":true}}}
        """);

    [Fact]
    public void A_device_that_is_blocked_is_told_to_stop() => ShouldBe(
        Answers.Refused("17", _claim, new Admission.Blocked()),
        "1008 device blocked",
        $$$$"""
        {"type":"res","id":"17","ok":false,"error":{"code":"NOT_PAIRED","message":"device blocked",
        "details":{"code":"PAIRING_REQUIRED","reason":"blocked","deviceId":"{{{{_claim.Device}}}}",
        "remediationHint":"An operator of the gateway has blocked this device. Ask them before you try again.",
        "recommendedNextStep":"contact_operator","retryable":false,"pauseReconnect":true}}}
        """);

    [Fact]
    public void Without_the_shared_token_it_is_told_of_that() => ShouldBe(
        Answers.Refused("17", _claim, new Admission.Unauthorized()),
        "1008 unauthorized",
        """{"type":"res","id":"17","ok":false,"error":{"code":"INVALID_REQUEST","message":"unauthorized","details":{"code":"AUTH_TOKEN_MISMATCH"}}}""");

    [Fact]
    public void A_refusal_without_fault_of_the_device_may_be_tried_again()
    {
        Unavailable(Answers.Refused("17", _claim, new Admission.TooManyRequests()), "1013", "try again later");
        Unavailable(Answers.Refused("17", _claim, new Admission.Busy()), "1013", "try again later");
        Unavailable(Answers.Refused("17", _claim, new Admission.Unavailable()), "1013", "registry unavailable");
        Unavailable(Answers.TryAgainLater("17"), "1013", "try again later");
        Unavailable(Answers.Restarting("17"), "1012", "gateway restarting");
    }

    [Fact]
    public void Only_a_device_from_which_something_was_taken_is_told_that_it_is_not_paired()
    {
        foreach (Closing closing in (Closing[])[Closing.DeviceRemoved, Closing.DeviceBlocked, Closing.GrantRevoked])
        {
            ShouldBe(
                Answers.ClosedMeanwhile("17", closing),
                $"1008 {closing.Reason}",
                $$$$"""{"type":"res","id":"17","ok":false,"error":{"code":"NOT_PAIRED","message":"{{{{closing.Reason}}}}"}}""");
        }

        foreach (Closing closing in (Closing[])[Closing.Restarting, Closing.RegistryUnavailable, Closing.TryAgainLater, Closing.InternalError])
            Unavailable(Answers.ClosedMeanwhile("17", closing), $"{closing.Code}", closing.Reason);
    }

    [Fact]
    public void A_malformed_request_or_one_that_the_application_refuses_is_an_invalid_request()
    {
        ShouldBe(
            Answers.InvalidHandshake("17", "params must be an object"),
            "1008 invalid handshake: params must be an object",
            """{"type":"res","id":"17","ok":false,"error":{"code":"INVALID_REQUEST","message":"invalid handshake: params must be an object"}}""");
        ShouldBe(
            Answers.RefusedByFilter("17", Closing.ByApplication("not on Sundays")),
            "1008 not on Sundays",
            """{"type":"res","id":"17","ok":false,"error":{"code":"INVALID_REQUEST","message":"not on Sundays"}}""");
    }

    // ---- the backend's own pairing

    [Fact]
    public void A_device_that_was_approved_at_the_backend_comes_again_at_once() => ShouldBe(
        Answers.ApprovedAtBackend("17"),
        "1013 try again later",
        """
        {"type":"res","id":"17","ok":false,"error":{"code":"UNAVAILABLE","message":"try again later",
        "details":{"reason":"startup-sidecars","recommendedNextStep":"wait_then_retry","pauseReconnect":false},"retryable":true,"retryAfterMs":250}}
        """);

    [Fact]
    public void A_device_that_could_not_be_approved_at_the_backend_is_told_who_can_do_that() => ShouldBe(
        Answers.NotApprovedAtBackend("17", Asks),
        "1013 try again later",
        """
        {"type":"res","id":"17","ok":false,"error":{"code":"UNAVAILABLE","message":"try again later",
        "details":{"reason":"backend-pairing","requestId":"r1","remediationHint":"The backend has not approved this device yet. Its owner can: openclaw devices approve r1",
        "recommendedNextStep":"wait_then_retry","pauseReconnect":false},"retryable":true,"retryAfterMs":1000}}
        """);

    [Theory]
    [InlineData("scope-upgrade", "scope-upgrade", "\"reason\":\"scope-upgrade\",")]
    [InlineData(null, "not-paired", "")]
    public void A_device_that_the_backend_asks_is_told_to_try_again(string? reason, string message, string member) => ShouldBe(
        Answers.BackendAsks("17", _claim, Asks with { Reason = reason }),
        "1008 pairing required: by the backend (requestId: r1)",
        $$$$"""
        {"type":"res","id":"17","ok":false,"error":{"code":"NOT_PAIRED","message":"pairing required at the backend: {{{{message}}}}",
        "details":{"code":"PAIRING_REQUIRED",{{{{member}}}}"requestId":"r1","deviceId":"{{{{_claim.Device}}}}","requestedRole":"operator","requestedScopes":["operator.read","operator.write"],
        "remediationHint":"The gateway has admitted this device, and the backend behind it asks again. Its owner can approve it: openclaw devices approve r1",
        "retryable":true,"recommendedNextStep":"wait_then_retry","pauseReconnect":false}}}
        """);

    [Fact]
    public void Of_a_large_grant_as_much_is_told_as_rules_may_approve()
    {
        DeviceRecord record = Some.Paired(_claim.Asking("operator", [.. Enumerable.Range(0, 200).Select(i => $"s{i}")]), Start);
        for (int i = 0; i < 20; i++)
            record = record with { Grants = record.Grants.SetItem($"r{i}", record.Grants.Of("operator")) };

        Refusal refusal = Answers.Refused("17", _claim, new Admission.Refused(PairingReason.ScopeUpgrade, Request(), record, IsNew: true));

        FrameHeader.TryRead(refusal.Answer, out FrameHeader header);
        using JsonDocument answer = JsonDocument.Parse(refusal.Answer.AsMemory(header.HeaderLength));
        JsonElement details = answer.RootElement.GetProperty("error").GetProperty("details");
        (details.GetProperty("approvedRoles").GetArrayLength(), details.GetProperty("approvedScopes").GetArrayLength()).ShouldBe((RuleBounds.Roles, RuleBounds.Scopes));
    }

    [Theory]
    [InlineData(false, "1008 not today", "not today")]
    [InlineData(true, "1011 internal error", "internal error")]
    public void A_filter_that_fails_is_an_error_of_the_gate(bool hasFailed, string close, string message) => ShouldBe(
        Answers.Refused("17", _claim, new Admission.RefusedByFilter("not today", hasFailed)),
        close,
        $$$$"""{"type":"res","id":"17","ok":false,"error":{"code":"INVALID_REQUEST","message":"{{{{message}}}}"}}""");

    [Fact]
    public void A_client_without_a_device_whose_rule_is_gone_is_told_that_it_needs_one() =>
        Answers.ClosedMeanwhile("17", Closing.IdentityRequired).ShouldBeEquivalentTo(Answers.ProofFailed("17", ProofFailure.IdentityRequired));

    [Fact]
    public void A_gateway_that_ends_says_so() => Unavailable(Answers.Refused("17", _claim, new Admission.Restarting()), "1012", "gateway restarting");

    private PairingRequest Request() => new()
    {
        Id = Id,
        DeviceId = _claim.Device,
        Role = _claim.Role,
        Scopes = _claim.Scopes,
        Reason = PairingReason.NotPaired,
        Client = _claim.Client,
        Locality = LocalityKind.Remote,
        CreatedAt = Start,
        ExpiresAt = Start.AddMinutes(5),
    };

    private static void Unavailable(Refusal refusal, string code, string reason) => ShouldBe(
        refusal,
        $"{code} {reason}",
        $$$$"""{"type":"res","id":"17","ok":false,"error":{"code":"UNAVAILABLE","message":"{{{{reason}}}}","retryable":true,"retryAfterMs":1000}}""");

    private static void ShouldBe(Refusal refusal, string close, string answer)
    {
        $"{refusal.Closing.Code} {refusal.Closing.Reason}".ShouldBe(close);
        FrameHeader.TryRead(refusal.Answer, out FrameHeader header).ShouldBe(FrameHeaderStatus.Complete);
        header.Opcode.ShouldBe(Opcode.Text);
        Encoding.UTF8.GetString(refusal.Answer.AsSpan(header.HeaderLength)).ShouldBe(answer.Replace("\n", "", StringComparison.Ordinal));
        refusal.Delay.ShouldBe(TimeSpan.Zero);
    }
}
