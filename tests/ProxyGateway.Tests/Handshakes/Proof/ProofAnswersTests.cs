using System.Reflection;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Handshakes.InMemory;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>What a device is told that is not admitted: as a problem, and by the close frame of a browser's WebSocket.</summary>
public sealed class ProofAnswersTests
{
    private const string Request = "0123456789abcdefghjkmnpqrs";
    private const string Busy = "503 try_again_later; Retry-After: 1; retryable: true";
    private const string Unavailable = "503 registry_unavailable; Retry-After: 1; retryable: true";
    private const string Restarting = "503 restarting; Retry-After: 1; retryable: true";
    private const string Blocked = "403 device_blocked; deviceId: ID; reason: blocked; retryable: false";

    private static readonly DeviceClaim Claim = Some.Claim("client", "agent.use");

    public static TheoryData<string, string, string> Decisions { get; } = new()
    {
        { "not paired", $"403 pairing_required; Retry-After: 5; deviceId: ID; requestId: {Request}; reason: not-paired; retryable: true", $"1008 pairing required: device is not approved yet (requestId: {Request})" },
        { "another role", $"403 pairing_required; Retry-After: 5; deviceId: ID; requestId: {Request}; reason: role-upgrade; retryable: true", $"1008 pairing required: device is asking for a higher role than currently approved (requestId: {Request})" },
        { "more scopes", $"403 pairing_required; Retry-After: 5; deviceId: ID; requestId: {Request}; reason: scope-upgrade; retryable: true", $"1008 pairing required: device is asking for more scopes than currently approved (requestId: {Request})" },
        { "rejected", $"403 pairing_rejected; deviceId: ID; requestId: {Request}; reason: not-paired; retryable: false", $"1008 pairing rejected (requestId: {Request})" },
        { "blocked", Blocked, "1008 device blocked" },
        { "may not ask", "403 unauthorized; deviceId: ID; retryable: false", "1008 unauthorized" },
        { "used before", "401 proof_already_used; WWW-Authenticate: Device-Proof error=\"invalid_dpop_proof\"; claim: jti; retryable: true", "1008 proof already used" },
        { "filter", "403 refused; deviceId: ID; retryable: false", "1008 not today" },
        { "filter fails", "500 internal_error", "1011 internal error" },
        { "restarting", Restarting, "1012 gateway restarting" },
        { "too many requests", Busy, "1013 try again later" },
        { "busy", Busy, "1013 try again later" },
        { "unavailable", Unavailable, "1013 registry unavailable" },
    };

    [Theory]
    [MemberData(nameof(Decisions))]
    public async Task After_a_decision(string decision, string answer, string close) => await ShouldBeAsync(ProofAnswers.Refused(Claim, AdmissionOf(decision)), answer, close);

    // What the gate says to a session ends it before its request is forwarded.
    [Theory]
    [InlineData("device blocked", Blocked)]
    [InlineData("device removed", "403 pairing_required; Retry-After: 5; deviceId: ID; retryable: true")]
    [InlineData("grant revoked", "403 pairing_required; Retry-After: 5; deviceId: ID; retryable: true")]
    [InlineData("gateway restarting", Restarting)]
    [InlineData("registry unavailable", Unavailable)]
    public async Task After_a_session_that_has_ended_already(string ended, string answer)
    {
        Closing closing = new[] { Closing.DeviceBlocked, Closing.DeviceRemoved, Closing.GrantRevoked, Closing.Restarting, Closing.RegistryUnavailable }.Single(c => c.Reason == ended);

        await ShouldBeAsync(ProofAnswers.EndedMeanwhile(Claim, closing), answer, $"{closing.Code} {ended}");
    }

    public static TheoryData<string, string, string> Others { get; } = new()
    {
        { "busy", Busy, "1013 try again later" },
        { "restarting", Restarting, "1012 gateway restarting" },
        { "unavailable", Unavailable, "1013 registry unavailable" },
        { "too many", "429 too_many_handshakes; Retry-After: 1; retryable: true", "1013 try again later" },
        { "origin", "403 origin_refused; retryable: false", "1008 unauthorized" },
        { "forbidden", "403 insufficient_scope; retryable: false", "1008 insufficient scope" },
        { "scopes", "403 insufficient_scope; deviceId: ID; retryable: false", "1008 insufficient scope" },
        { "failure", "500 internal_error", "1011 internal error" },
        { "no proof", "403 device_proof_required", "1008 device identity required" },
        { "no proof in the standard's header", "401 device_proof_required; WWW-Authenticate: Device-Proof algs=\"ES256 EdDSA Ed25519\"", "1008 device identity required" },
    };

    [Theory]
    [MemberData(nameof(Others))]
    public async Task Without_a_decision(string why, string answer, string close)
    {
        var route = new ProofRoute("client", ScopeSet.Of("a", "b"), IsDPoP: false);
        ProofAnswer found = why switch
        {
            "busy" => ProofAnswers.Busy,
            "restarting" => ProofAnswers.Restarting,
            "unavailable" => ProofAnswers.RegistryUnavailable,
            "too many" => ProofAnswers.TooMany,
            "origin" => ProofAnswers.OriginRefused,
            "forbidden" => ProofAnswers.Forbidden,
            "scopes" => ProofAnswers.InsufficientScope(Claim, route),
            "failure" => ProofAnswers.InternalError,
            "no proof" => ProofAnswers.ProofRequired(route),
            _ => ProofAnswers.ProofRequired(route with { IsDPoP = true }),
        };

        await ShouldBeAsync(found, answer, close);
    }

    // Hosts of agents print these as they stand.
    [Theory]
    [InlineData("not paired", "Pairing required: device is not approved yet. An operator of the gateway can approve it: proxygateway requests approve " + Request)]
    [InlineData("rejected", "Pairing rejected. An operator of the gateway has rejected this request. Ask them before you try again.")]
    [InlineData("filter", "The application refuses the device. not today")]
    public async Task In_words_that_say_what_to_do(string decision, string words) =>
        (await WriteAsync(ProofAnswers.Refused(Claim, AdmissionOf(decision)))).Words.ShouldBe(words);

    [Theory]
    [InlineData(InvitationFault.UsedUp, "The invitation was used before, as often as it can be. ")]
    [InlineData(InvitationFault.OtherGrant, "The invitation is for another audience or role, or for fewer scopes. ")]
    [InlineData(InvitationFault.DecidedOtherwise, "The invitation does not change what an operator has decided about this device. ")]
    [InlineData(InvitationFault.Unknown, "There is no such invitation, or it has expired. ")]
    internal async Task In_words_that_say_why_an_invitation_is_not_enough(InvitationFault fault, string words)
    {
        var refused = (Admission.Refused)AdmissionOf("not paired");

        (await WriteAsync(ProofAnswers.Refused(Claim, refused with { InvitationFault = fault }))).Words
            .ShouldBe($"Pairing required: device is not approved yet. {words}An operator of the gateway can approve it: proxygateway requests approve {Request}");
    }

    [Fact]
    public async Task In_words_that_say_what_is_missing()
    {
        var route = new ProofRoute("client", ScopeSet.Of("a", "b"), IsDPoP: false);

        (await WriteAsync(ProofAnswers.Invalid(new ProofExamination(Proof: null, ProofFault.Method, ClockOffset: null), "https://gate.example/"))).Words
            .ShouldBe("The proof does not hold: htm. It must be the method of the request, and GET for a WebSocket.");
        (await WriteAsync(ProofAnswers.Invalid(new ProofExamination(Proof: null, ProofFault.NonceRequired, ClockOffset: null), "https://gate.example/"))).Words
            .ShouldStartWith("The proof needs a fresh nonce. ");
        (await WriteAsync(ProofAnswers.InsufficientScope(Claim, route))).Words.ShouldEndWith("This route needs: a b.");
        (await WriteAsync(ProofAnswers.EndedMeanwhile(Claim, Closing.GrantRevoked))).Words.ShouldEndWith(": grant revoked.");
        (await WriteAsync(ProofAnswers.ProofRequired(route))).Words.ShouldEndWith("with the nonce of Device-Nonce) in the header Device-Proof.");
        (await WriteAsync(ProofAnswers.ProofRequired(route with { IsDPoP = true }))).Words.ShouldEndWith("with the nonce of DPoP-Nonce) in the header DPoP.");
    }

    // A host of agents shows the detail alone.
    [Fact]
    public void Each_fault_says_in_a_sentence_what_must_hold()
    {
        (string Part, string Detail)[] faults =
        [
            .. StaticsOf<ProofFault>(typeof(ProofFault)).Select(fault => (fault.Part, fault.Detail)),
            .. StaticsOf<SessionTokenFault>(typeof(SessionTokenFault)).Select(fault => (fault.Reason, fault.Detail)),
            .. StaticsOf<ProofAnswer>(typeof(ProofAnswers)).Select(answer => (answer.Code, answer.Detail)),
            .. StaticsOf<ProofAnswer>(typeof(ProofAnswers)).Select(answer => (answer.Code, answer.Title)),
        ];

        faults.Length.ShouldBeGreaterThan(40);
        faults.ShouldAllBe(fault => fault.Part.Length > 1 && fault.Detail.Length > 10 && fault.Detail.EndsWith('.') && char.IsUpper(fault.Detail[0]));

        static IEnumerable<T> StaticsOf<T>(Type type) =>
            type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic).Where(f => f.FieldType == typeof(T)).Select(f => (T)f.GetValue(obj: null)!);
    }

    [Fact]
    public async Task A_client_that_does_not_wait_for_its_answer_is_no_fault()
    {
        using var request = new MemoryRequest();
        request.Http.Response.Body = new Gone();

        await Should.ThrowAsync<OperationCanceledException>(() => ProofResponse.WriteAsync(request.Http, ProofAnswers.Busy, "Device-Proof"));
        request.Abort();
        await Should.NotThrowAsync(() => ProofResponse.WriteAsync(request.Http, ProofAnswers.Busy, "Device-Proof"));
    }

    private static Admission AdmissionOf(string decision) => decision switch
    {
        "not paired" => new Admission.Refused(PairingReason.NotPaired, Asked(PairingRequestStatus.Open), Record: null, IsNew: true),
        "another role" => new Admission.Refused(PairingReason.RoleUpgrade, Asked(PairingRequestStatus.Open), Record: null, IsNew: true),
        "more scopes" => new Admission.Refused(PairingReason.ScopeUpgrade, Asked(PairingRequestStatus.Open), Record: null, IsNew: true),
        "rejected" => new Admission.Refused(PairingReason.NotPaired, Asked(PairingRequestStatus.Rejected), Record: null, IsNew: false),
        "blocked" => new Admission.Blocked(),
        "may not ask" => new Admission.Unauthorized(),
        "used before" => new Admission.UsedBefore(),
        "filter" => new Admission.RefusedByFilter("not today", HasFailed: false),
        "filter fails" => new Admission.RefusedByFilter("internal error", HasFailed: true),
        "restarting" => new Admission.Restarting(),
        "too many requests" => new Admission.TooManyRequests(),
        "busy" => new Admission.Busy(),
        _ => new Admission.Unavailable(),
    };

    private static PairingRequest Asked(PairingRequestStatus status) => new()
    {
        Id = RequestId.Parse(Request),
        DeviceId = Claim.Device,
        Role = Claim.Role,
        Scopes = Claim.Scopes,
        Reason = PairingReason.NotPaired,
        Client = Claim.Client,
        Locality = LocalityKind.Remote,
        Status = status,
        CreatedAt = DateTimeOffset.UnixEpoch,
        ExpiresAt = DateTimeOffset.UnixEpoch,
    };

    private static async Task<MemoryRequest> WriteAsync(ProofAnswer answer)
    {
        using var request = new MemoryRequest();
        await ProofResponse.WriteAsync(request.Http, answer, "Device-Proof");
        return request;
    }

    private static async Task ShouldBeAsync(ProofAnswer found, string answer, string close)
    {
        (await WriteAsync(found)).Answer.Replace(Claim.Device.ToString(), "ID", StringComparison.Ordinal).ShouldBe(answer);
        $"{found.Closing.Code} {found.Closing.Reason}".ShouldBe(close);
    }

    private sealed class Gone : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => throw new OperationCanceledException(cancellationToken);
    }
}
