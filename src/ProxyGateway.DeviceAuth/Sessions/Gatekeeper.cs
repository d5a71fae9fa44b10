using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// Decides verified claims of every handshake, and enters in the audit how each handshake and session ended. Every path that is not an
/// admission ends the session again.
/// </summary>
internal sealed partial class Gatekeeper(
    DeviceRegistry registry, Invitations invitations, SessionTable sessions, RegistryFreshness freshness, AuditLog audit, LastSeenTracker lastSeen,
    IDeviceAuthSettings settings, DecisionQueue queue, TimeProvider time, PacedLogger<Gatekeeper> logger)
{
    // A record that changes between the reading and the admission is read again, but only this often.
    private const int MaxAttempts = 4;

    // A plain request that the audit only counts, and that runs for longer, is entered when it ends.
    private static readonly TimeSpan Brief = TimeSpan.FromSeconds(10);

    private const string RegistryUnavailable = "registry-unavailable";

    /// <summary>
    /// Decides a claim. It waits for its turn for up to <see cref="DeviceAuthOptions.HandshakeTimeout"/>, and the registry may take as long
    /// again.
    /// </summary>
    /// <param name="claim">The verified claim.</param>
    /// <param name="origin">The claim's origin.</param>
    /// <param name="options">The options in force when the connection came: they bound the time and determined the locality. The decision
    /// uses the options in force then.</param>
    /// <param name="mayAsk">Whether a claim that no grant covers may be approved or become a request.</param>
    /// <param name="once">What names the claim's proof; null if it cannot come again.</param>
    /// <param name="cancellationToken">Cancelled when the client is gone.</param>
    /// <param name="isPlain">Whether it is a plain HTTP request.</param>
    /// <param name="trace">Measures the handshake; null if nobody listens.</param>
    /// <returns>
    /// The result; and for <see cref="Admission.Admitted"/>, and nothing else, the session, to be disposed of when the connection ends.
    /// </returns>
    /// <exception cref="OperationCanceledException">The client is gone.</exception>
    public async ValueTask<(Admission Admission, DeviceSession? Session)> DecideAsync(
        DeviceClaim claim, ClaimOrigin origin, DeviceAuthOptions options, Func<DeviceAuthOptions, bool> mayAsk, UseOnce? once, CancellationToken cancellationToken, bool isPlain = false, HandshakeTrace? trace = null)
    {
        // A device that waits in this queue has not reached the registry: its answer must not say that the registry is unavailable.
        if (!await TryEnterAsync(options.HandshakeTimeout, cancellationToken))
        {
            PutOff(claim.Audience, claim, origin, options);
            return (new Admission.Busy(), null);
        }

        try
        {
            return await DecideInTurnAsync(claim, origin, options, mayAsk, once, isPlain, trace, cancellationToken);
        }
        finally
        {
            queue.Leave();
        }
    }

    /// <summary>Enters that a device must try again later: too many came before it.</summary>
    /// <param name="audience">The audience of the route.</param>
    /// <param name="claim">The verified claim; null if there is none, and then the entry names no device.</param>
    /// <param name="origin">The client's origin.</param>
    /// <param name="options">The options in force when the connection came.</param>
    public void PutOff(Audience audience, DeviceClaim? claim, ClaimOrigin origin, DeviceAuthOptions options)
    {
        LogBusy(origin.Address, options.HandshakeTimeout);
        audit.Enter(Refusal(audience, claim, origin, options, "busy"));
    }

    /// <summary>Enters that a handshake was refused before or without a decision.</summary>
    /// <param name="closing">The close code and reason for the client.</param>
    /// <param name="audience">The audience of the route.</param>
    /// <param name="claim">The verified claim; null if there is none, and then the entry names no device.</param>
    /// <param name="origin">The client's origin.</param>
    /// <param name="options">The options in force when the connection came.</param>
    public void Refused(Closing closing, Audience audience, DeviceClaim? claim, ClaimOrigin origin, DeviceAuthOptions options) =>
        audit.Enter(Refusal(audience, claim, origin, options, closing.Reason) with { CloseCode = closing.Code });

    /// <summary>The device's record at this time, if it still covers the session; else null, also if the record may be out of date.</summary>
    /// <exception cref="RegistryUnavailableException">The registry cannot be reached.</exception>
    public async ValueTask<DeviceRecord?> ReadGrantingAsync(DeviceSession session, CancellationToken cancellationToken)
    {
        (DeviceRecord? stored, DateTimeOffset now) = await registry.ReadAsync(session.Claim.Device, settings.Current.PairingRules, cancellationToken);
        DeviceRecord? record = stored?.AsOf(now);
        return !freshness.IsStale && settings.Current.Policy.Admits(record, session.Claim) ? record : null;
    }

    /// <summary>Enters that the backend has accepted an admitted client.</summary>
    public void Opened(Session session, ClaimOrigin origin, DeviceAuthOptions options)
    {
        if (!session.IsCounted)
            audit.Enter(Entry(AuditKinds.SessionOpened, session, origin, options));
    }

    /// <summary>The backend has refused an admitted device.</summary>
    /// <param name="session">The session.</param>
    /// <param name="reason">The backend's code, reason and request, cleaned; and what the gate has to say of it.</param>
    /// <param name="note">What the backend's owner can do; null if nothing.</param>
    /// <param name="origin">Where the device comes from.</param>
    /// <param name="options">The options in force when the connection came.</param>
    public void RefusedByBackend(Session session, string reason, string? note, ClaimOrigin origin, DeviceAuthOptions options) =>
        audit.Enter(Entry(AuditKinds.BackendRefused, session, origin, options) with { Reason = reason, Note = note });

    /// <summary>The gate has approved at the backend what it has granted.</summary>
    /// <param name="session">The session.</param>
    /// <param name="reason">The backend's code, reason and request, cleaned.</param>
    /// <param name="origin">Where the device comes from.</param>
    /// <param name="options">The options in force when the connection came.</param>
    public void ApprovedAtBackend(Session session, string reason, ClaimOrigin origin, DeviceAuthOptions options) =>
        audit.Enter(Entry(AuditKinds.BackendApproved, session, origin, options) with { Reason = reason });

    /// <summary>Enters that the connection of an admitted client has ended.</summary>
    /// <param name="session">The session.</param>
    /// <param name="closing">The close code and reason if the gate ended it; else null.</param>
    /// <param name="origin">The client's origin.</param>
    /// <param name="options">The options in force when the connection came.</param>
    public void Ended(Session session, Closing? closing, ClaimOrigin origin, DeviceAuthOptions options)
    {
        if (session.Device is { } device)
            lastSeen.Note(device);
        if (!session.IsCounted || closing is not null || time.GetUtcNow() - session.StartedAt > Brief)
            audit.Enter(Entry(AuditKinds.SessionClosed, session, origin, options) with { CloseCode = closing?.Code, Reason = closing?.Reason });
    }

    private async ValueTask<bool> TryEnterAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (queue.TryEnter())
            return true;
        using var deadline = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            await queue.EnterAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    private async ValueTask<(Admission Admission, DeviceSession? Session)> DecideInTurnAsync(
        DeviceClaim claim, ClaimOrigin origin, DeviceAuthOptions cameBy, Func<DeviceAuthOptions, bool> mayAsk, UseOnce? once, bool isPlain, HandshakeTrace? trace, CancellationToken cancellationToken)
    {
        DeviceAuthOptions options = settings.Current;
        if (!options.HasTheSameDoor(cameBy))
        {
            // By the new options its upgrade might be refused, or its locality be another. When it connects again, the new options apply.
            return (Refuse(new Admission.Busy(), claim, origin, options, "reloaded"), null);
        }

        if (freshness.IsStale)
        {
            LogStale(claim.Device);

            // Even if the record can be read: this gateway might miss a revocation.
            return (Refuse(new Admission.Unavailable(), claim, origin, options, RegistryUnavailable), null);
        }

        DeviceSession? session = sessions.TryEnter(claim, origin, options.Limits.SessionsPerDevice);
        if (session is null)
        {
            LogTooManySessions(claim.Device, options.Limits.SessionsPerDevice);
            return (Refuse(new Admission.Busy(), claim, origin, options, "too-many-sessions"), null);
        }

        Admission? admission = null;
        using var either = new CancellationTokenSource(cameBy.HandshakeTimeout, time);
        await using CancellationTokenRegistration left = cancellationToken.UnsafeRegister(static e => ((CancellationTokenSource)e!).Cancel(), either);
        try
        {
            admission = await DecideAsync(session, origin, mayAsk, once, isPlain, trace, either.Token);
            return (admission, admission is Admission.Admitted ? session : null);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (Refuse(new Admission.Unavailable(), claim, origin, options, RegistryUnavailable), null);
        }
        finally
        {
            if (admission is not Admission.Admitted)
                session.Dispose();
        }
    }

    private async ValueTask<Admission> DecideAsync(
        DeviceSession session, ClaimOrigin origin, Func<DeviceAuthOptions, bool> mayAsk, UseOnce? once, bool isPlain, HandshakeTrace? trace, CancellationToken cancellationToken)
    {
        PendingUse? use = PendingUse.Of(once); // of all attempts together: none of them may take the mark of an earlier one for a replay
        DeviceClaim claim = session.Claim;
        DeviceAuthOptions options = settings.Current;
        try
        {
            for (int attempt = 0; attempt < MaxAttempts; attempt++)
            {
                var asOf = new TimeMark(time);
                switch (await AdmitAsync(claim, origin, Terms, use, trace, cancellationToken))
                {
                    case Admission.Admitted when freshness.IsStale: // the machine may have slept since the record was read
                        LogStale(claim.Device);
                        return Refuse(new Admission.Unavailable(), claim, origin, options, RegistryUnavailable);
                    case Admission.Admitted admitted:
                        // A reload rechecks all entered sessions, and this session is entered. So either the new policy decided it, or it
                        // is decided again here.
                        if (!ReferenceEquals(options.Policy, settings.Current.Policy) || !session.TryAdmit(admitted.Record, admitted.Now, asOf))
                            continue;
                        LogAdmitted(claim.Device, claim.Key.ToString(), LogText.Of(claim.Scopes), origin.Address, admitted.Rule ?? "grant");
                        AuditEntry entry = Entry(AuditKinds.DeviceAdmitted, claim.Audience, claim, origin, options) with { Rule = admitted.Rule };
                        if (isPlain && admitted.Rule is null)
                            session.IsCounted = !audit.TryEnterRequest(entry);
                        else
                            audit.Enter(entry);
                        lastSeen.Note(claim.Device);
                        return admitted;
                    case Admission.Refused refused:
                        LogPairingRequired(claim.Device, claim.Key.ToString(), LogText.Of(claim.Scopes), origin.Address, refused.Reason.ToWireName(), refused.Request.Id, refused.Request.Status);
                        string reason = refused.Request.Status == PairingRequestStatus.Rejected ? "rejected" : refused.Reason.ToWireName();
                        audit.Enter(Refusal(claim.Audience, claim, origin, options, reason) with { RequestId = refused.Request.Id });
                        return refused;
                    case Admission.UsedBefore used:
                        LogUsedBefore(claim.Device, origin.Address);
                        return Refuse(used, claim, origin, options, "proof-already-used");
                    case Admission.Outdated outdated:
                        LogOutdated(claim.Device, origin.Address);
                        return Refuse(outdated, claim, origin, options, "session-token-outdated");
                    case Admission.Blocked blocked:
                        LogBlocked(claim.Device, origin.Address);
                        return Refuse(blocked, claim, origin, options, "blocked");
                    case Admission.Unauthorized unauthorized:
                        LogUnauthorized(claim.Device, origin.Address);
                        return Refuse(unauthorized, claim, origin, options, "unauthorized");
                    case Admission.TooManyRequests tooMany:
                        LogTooManyRequests(claim.Device, origin.Address);
                        return Refuse(tooMany, claim, origin, options, "too-many-requests");
                }
            }

            return Contended();
        }
        catch (RegistryUnavailableException e) when (e.IsContended)
        {
            return Contended();
        }
        catch (RegistryUnavailableException e)
        {
            LogRegistryUnavailable(claim.Device, e);
            return Refuse(new Admission.Unavailable(), claim, origin, options, RegistryUnavailable);
        }

        AdmissionTerms Terms()
        {
            options = settings.Current;
            return new AdmissionTerms(options.PairingRules, mayAsk(options));
        }

        // The registry answers, but another change came first each time.
        Admission Contended()
        {
            LogContended(claim.Device);
            return Refuse(new Admission.Busy(), claim, origin, options, "busy");
        }
    }

    // A device with an invitation asks like any other; the invitation approves what it asks for, and it is decided again.
    private async ValueTask<Admission> AdmitAsync(
        DeviceClaim claim, ClaimOrigin origin, Func<AdmissionTerms> terms, PendingUse? use, HandshakeTrace? trace, CancellationToken cancellationToken)
    {
        using HandshakeTrace.Part? part = trace?.Begin(HandshakeStep.Registry);
        Admission admission = await registry.AdmitAsync(claim, origin, terms, use, cancellationToken);
        if (claim.InvitationId is null)
            return admission;
        if (admission is Admission.Unauthorized && await invitations.LetsAskAsync(claim, terms().Rules, cancellationToken))
            admission = await registry.AdmitAsync(claim, origin, Invited, use, cancellationToken);
        if (admission is not Admission.Refused refused)
            return admission;
        return await invitations.RedeemAsync(claim, refused, origin.Address, terms().Rules, cancellationToken) is { } fault
            ? refused with { InvitationFault = fault }
            : await registry.AdmitAsync(claim, origin, Invited, use, cancellationToken);

        // By a rule any number of devices would get in by one invitation, and without its end.
        AdmissionTerms Invited() => terms() with { MayAsk = true, ByRules = false };
    }

    private Admission Refuse(Admission refusal, DeviceClaim claim, ClaimOrigin origin, DeviceAuthOptions options, string reason)
    {
        audit.Enter(Refusal(claim.Audience, claim, origin, options, reason));
        return refusal;
    }

    private static AuditEntry Entry(string kind, Audience audience, DeviceClaim? claim, ClaimOrigin origin, DeviceAuthOptions options) => new()
    {
        Kind = kind,
        DeviceId = claim?.Device,
        Audience = audience,
        Role = claim?.Role,
        Scopes = claim?.Scopes,
        Address = origin.Address,
        Locality = options.Policy.Classify(origin.Locality),
    };

    private static AuditEntry Entry(string kind, Session session, ClaimOrigin origin, DeviceAuthOptions options) => new()
    {
        Kind = kind,
        DeviceId = session.Device,
        User = session.User,
        Audience = session.Audience,
        Role = session.Role,
        Scopes = session.Scopes,
        Address = origin.Address,
        Locality = options.Policy.Classify(origin.Locality),
    };

    private static AuditEntry Refusal(Audience audience, DeviceClaim? claim, ClaimOrigin origin, DeviceAuthOptions options, string reason) =>
        Entry(AuditKinds.DeviceRefused, audience, claim, origin, options) with { Reason = reason };

    [LoggerMessage(1001, LogLevel.Information, "Admitted device {Device} as {Role} with [{Scopes}] from {Address} by {By}.")]
    private partial void LogAdmitted(object device, string role, string scopes, string? address, string by);

    [LoggerMessage(1002, LogLevel.Information, "Device {Device} asks for {Role} with [{Scopes}] from {Address}: {Reason}, request {Request} is {Status}.")]
    private partial void LogPairingRequired(
        object device, string role, string scopes, string? address, string reason, object request, object status);

    [LoggerMessage(1003, LogLevel.Warning, "Too many pairing requests are open; device {Device} from {Address} must try again later.")]
    private partial void LogTooManyRequests(object device, string? address);

    [LoggerMessage(1004, LogLevel.Warning, "Device {Device} already has {Limit} sessions; another one was refused.")]
    private partial void LogTooManySessions(object device, int limit);

    [LoggerMessage(1005, LogLevel.Error, "The registry is unavailable; device {Device} was not admitted.")]
    private partial void LogRegistryUnavailable(object device, Exception exception);

    [LoggerMessage(1006, LogLevel.Error, "Announcements of changes have not arrived for too long; device {Device} was not admitted.")]
    private partial void LogStale(object device);

    [LoggerMessage(1007, LogLevel.Information, "Device {Device} is blocked, and was refused from {Address}.")]
    private partial void LogBlocked(object device, string? address);

    [LoggerMessage(1008, LogLevel.Information, "No grant covers device {Device} from {Address}, and it did not send the token that a request needs (DeviceAuth:SharedToken).")]
    private partial void LogUnauthorized(object device, string? address);

    [LoggerMessage(1016, LogLevel.Warning, "Device {Device} from {Address} has shown a proof that was used before, and was refused.")]
    private partial void LogUsedBefore(object device, string? address);

    [LoggerMessage(1017, LogLevel.Information, "Device {Device} from {Address} has shown a session token from before its record changed, and was refused.")]
    private partial void LogOutdated(object device, string? address);

    [LoggerMessage(1110, LogLevel.Warning, "A device from {Address} must try again later: its turn did not come within {Timeout} (DeviceAuth:HandshakeTimeout).")]
    private partial void LogBusy(string? address, object timeout);

    [LoggerMessage(1111, LogLevel.Warning, "The record of device {Device} changes too fast for a decision; another connection of it must try again later.")]
    private partial void LogContended(object device);
}
