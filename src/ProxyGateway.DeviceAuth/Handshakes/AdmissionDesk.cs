using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>Where every handshake has its claims decided, and its failures counted.</summary>
internal sealed class AdmissionDesk(
    Gatekeeper gatekeeper,
    AdmissionFilters filters,
    ClientHistory history,
    Draining draining,
    IDeviceAuthSettings settings,
    TimeProvider time,
    PacedLogger<AdmissionDesk> logger)
{
    private const int LongestKey = 128; // bytes

    private readonly HandshakeLog _log = new(logger);

    /// <summary>The clock.</summary>
    public TimeProvider Time => time;

    /// <summary>
    /// Refuses a claim that would be recorded under an id that is not its key's, or so that it could not be read again: one device could make its record
    /// grow without bound, or damage it.
    /// </summary>
    /// <returns>The claim, with a description that is safe to show.</returns>
    /// <exception cref="ArgumentException">It is such a claim.</exception>
    public static DeviceClaim Check(DeviceClaim claim)
    {
        Span<byte> key = stackalloc byte[LongestKey];
        if (claim.PublicKey.Length is 0 or > LongestKey
            || !Base64Url.IsValid(claim.PublicKey)
            || !Base64Url.TryDecodeFromChars(claim.PublicKey, key, out int length)
            || Base64Url.EncodeToString(key[..length]) != claim.PublicKey // one spelling of each key
            || claim.Device != DeviceId.Of(key[..length]))
        {
            throw new ArgumentException("The device's id is not that of its public key.", nameof(claim));
        }

        if (!ScopeSet.IsValidName(claim.Role))
            throw new ArgumentException("The role is no role.", nameof(claim));
        if (claim.Scopes is not { Count: <= DeviceClaim.MaxScopes } scopes || !scopes.All(scope => ScopeSet.IsValidName(scope)))
            throw new ArgumentException($"The scopes are no scopes, or more than {DeviceClaim.MaxScopes}.", nameof(claim));
        ClientDescription? client = claim.Client;
        return claim with { Client = ClientDescription.Sanitize(client?.Id, client?.DisplayName, client?.Platform, client?.Mode) };
    }

    /// <summary>Decides a verified claim. There is a session if, and only if, the device is admitted.</summary>
    /// <exception cref="OperationCanceledException">The client is gone.</exception>
    public async ValueTask<(Admission Admission, DeviceSession? Session)> DecideAsync(
        HandshakeContext handshake, DeviceClaim claim, string? sharedToken, UseOnce? once = null, bool isPlain = false)
    {
        HandshakeTrace? trace = handshake.Trace;
        trace?.Proved(claim.Device);
        using HandshakeTrace.Part? part = trace?.Begin(HandshakeStep.Policy);
        (Admission admission, DeviceSession? session) = await DecideClaimAsync(handshake, claim, sharedToken, once, isPlain);
        if (session is null)
            trace?.Note(HandshakeOutcomes.Of(admission));
        return (admission, session);
    }

    private async ValueTask<(Admission Admission, DeviceSession? Session)> DecideClaimAsync(
        HandshakeContext handshake, DeviceClaim claim, string? sharedToken, UseOnce? once, bool isPlain)
    {
        if (draining.IsUnderWay)
            return (new Admission.Restarting(), null);
        claim = claim with { Audience = handshake.Audience }; // the route says which agent it is; the client or its handshake could name one that admits it
        if (await filters.RefuseAsync(handshake.Http, claim, handshake.Origin, settings.Current) is { } closing)
        {
            gatekeeper.Refused(closing, handshake.Audience, claim, handshake.Origin, handshake.Options);
            return (new Admission.RefusedByFilter(closing.Reason, HasFailed: closing == Closing.InternalError), null);
        }

        (Admission admission, DeviceSession? session) = await gatekeeper.DecideAsync(
            claim, handshake.Origin, handshake.Options, inForce => MayAsk(sharedToken, inForce), once, handshake.Http.RequestAborted, isPlain, handshake.Trace);
        if (draining.IsUnderWay)
            session?.Close(Closing.Restarting); // the others may have been closed before this one was entered
        return (admission, session);
    }

    /// <summary>Notes that a client has proved nothing; how long its refusal is to be held back.</summary>
    /// <exception cref="ArgumentException">The reason is too long.</exception>
    public TimeSpan Refuse(HandshakeContext handshake, string reason)
    {
        Closing closing = Closing.ByApplication(reason) with { Reason = SafeText.Of(reason) ?? "" }; // a handshake may put a client's text in it after all
        handshake.Trace?.Note(HandshakeOutcome.ProofInvalid);
        _log.Refused(handshake, closing);
        gatekeeper.Refused(closing, handshake.Audience, claim: null, handshake.Origin, handshake.Options);
        return Fail(handshake);
    }

    /// <summary>Enters that a verified claim is refused without a decision.</summary>
    public void Decline(HandshakeContext handshake, DeviceClaim claim, Closing closing)
    {
        handshake.Trace?.Proved(claim.Device);
        handshake.Trace?.Note(HandshakeOutcomes.Of(closing));
        _log.Refused(handshake, closing);
        gatekeeper.Refused(closing, handshake.Audience, claim, handshake.Origin, handshake.Options);
    }

    /// <summary>Counts a failure against a client; how long its refusal is to be held back.</summary>
    public TimeSpan Fail(HandshakeContext handshake) => history.Fail(handshake.Place.Client, settings.Current.Limits.FailuresPerAddress);

    /// <summary>Holds a refusal back; meanwhile the handshake gives way before any other.</summary>
    public async Task HoldBackAsync(HandshakeContext handshake, TimeSpan delay)
    {
        handshake.Trace?.Complete(HandshakeOutcome.Answered); // what is held back is no part of it
        if (delay <= TimeSpan.Zero)
            return;
        handshake.Place.HoldBack();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(handshake.Http.RequestAborted, handshake.Place.GivesWay, draining.Token);
        await Task.Delay(delay, time, end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>An admitted device is connected: its place among the handshakes under way is free.</summary>
    /// <param name="handshake">Its handshake.</param>
    /// <param name="session">Its session.</param>
    /// <param name="wasPaired">Whether it was covered already, and no rule had to approve it.</param>
    public void Opened(HandshakeContext handshake, Session session, bool wasPaired)
    {
        handshake.Place.Dispose();
        handshake.Trace?.Complete(HandshakeOutcome.Admitted);
        if (wasPaired)
            history.Admitted(handshake.Place.Client);
        gatekeeper.Opened(session, handshake.Origin, handshake.Options);
    }

    /// <summary>The connection of an admitted device is over.</summary>
    public void Ended(HandshakeContext handshake, Session session)
    {
        handshake.Trace?.SessionEnded(SessionEnds.Of(session.Closing));
        gatekeeper.Ended(session, session.Closing, handshake.Origin, handshake.Options);
    }

    /// <summary>Whether there is a shared token, and this is it.</summary>
    public static bool ShowsSharedToken(string? sharedToken, DeviceAuthOptions options) =>
        sharedToken is not null
        && !options.SharedTokenSha256.IsEmpty // hashes of one length, compared in constant time: how much of a guess is right cannot be measured
        && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(sharedToken)), options.SharedTokenSha256.AsSpan());

    private static bool MayAsk(string? sharedToken, DeviceAuthOptions options) =>
        options.SharedTokenSha256.IsEmpty || ShowsSharedToken(sharedToken, options);
}
