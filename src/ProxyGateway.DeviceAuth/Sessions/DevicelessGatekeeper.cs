using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// Decides about clients without a device, by the rule for them alone: the registry knows nothing of them. Every path that is not an admission
/// refuses, and ends the session again.
/// </summary>
internal sealed partial class DevicelessGatekeeper(
    SessionTable sessions, AdmissionFilters filters, AuditLog audit, IDeviceAuthSettings settings, PacedLogger<DevicelessGatekeeper> logger)
{
    /// <summary>Decides whether a client gets in.</summary>
    /// <param name="askUnder">What it asks for, and has shown, under the options in force.</param>
    /// <param name="origin">Where it comes from.</param>
    /// <param name="cameBy">The options in force when the connection came: they say what it was taken for.</param>
    /// <returns>
    /// The session, to be disposed of when the connection is over, or else what the client is told: <see cref="Closing.IdentityRequired"/> if the rule
    /// does not cover it, <see cref="Closing.TryAgainLater"/> if it may come again at once.
    /// </returns>
    public (DevicelessSession? Session, Closing? Closing) Decide(
        Func<DeviceAuthOptions, DevicelessAsk> askUnder, ClaimOrigin origin, DeviceAuthOptions cameBy)
    {
        DeviceAuthOptions options = settings.Current;
        DevicelessAsk ask = askUnder(options);
        PeerUser peer = origin.Locality.IsLoopback ? origin.LookUpPeerUser() : PeerUser.Unknown;
        if (!options.HasTheSameDoor(cameBy))
            return Refuse(Closing.TryAgainLater, "reloaded");

        Locality locality = origin.Locality with { Peer = peer };
        DevicelessObjection objection = options.Policy.Deviceless is not { } rule ? DevicelessObjection.Role
            : filters.Any ? DevicelessObjection.AdmissionFilters // they decide about devices, and cannot be asked about this
            : rule.Object(ask, locality, options.Policy.Implications);
        if (objection != DevicelessObjection.None)
            return RefuseUncovered(objection);

        DevicelessSession? session = sessions.TryEnter(peer.UserId, ask, origin, options.Limits.SessionsPerDevice);
        if (session is null)
        {
            LogTooManySessions(peer.UserId, options.Limits.SessionsPerDevice);
            return Refuse(Closing.TryAgainLater, "too-many-sessions");
        }

        bool isAdmitted = false;
        try
        {
            isAdmitted = session.TryAdmit(options, settings);
        }
        finally
        {
            if (!isAdmitted)
                session.Dispose();
        }

        if (!isAdmitted)
            return Refuse(Closing.TryAgainLater, "reloaded");
        LogAdmitted(peer.UserId, new GrantKey(ask.Audience, ask.Role).ToString(), LogText.Of(ask.Scopes), origin.Address);
        audit.Enter(Entry(AuditKinds.DeviceAdmitted));
        return (session, null);

        (DevicelessSession? Session, Closing? Closing) RefuseUncovered(DevicelessObjection objection)
        {
            LogRefused(UserOf(peer), origin.Address, objection.InWords());
            return Refuse(Closing.IdentityRequired, $"{Closing.IdentityRequired.Reason}: {objection.InWords()}");
        }

        (DevicelessSession? Session, Closing? Closing) Refuse(Closing closing, string reason)
        {
            audit.Enter(Entry(AuditKinds.DeviceRefused) with { Reason = reason, CloseCode = closing.Code });
            return (null, closing);
        }

        // Of who has not shown the token, nothing that they say is kept.
        AuditEntry Entry(string kind) => new()
        {
            Kind = kind,
            User = UserOf(peer),
            Audience = ask.Audience,
            Role = ask.ShowsSharedToken ? ask.Role : null,
            Scopes = ask.ShowsSharedToken ? ask.Scopes : null,
            Address = origin.Address,
            Locality = options.Policy.Classify(origin.Locality),
        };
    }

    private static uint? UserOf(PeerUser peer) => peer.State == PeerUserState.Known ? peer.UserId : null;

    [LoggerMessage(1012, LogLevel.Information, "Admitted a client without a device, of user {User}, as {Role} with [{Scopes}] from {Address} (DeviceAuth:Pairing:Deviceless).")]
    private partial void LogAdmitted(object user, string role, string scopes, string? address);

    [LoggerMessage(1013, LogLevel.Information, "Refused a client without a device, of user {User}, from {Address}: {Objection} (DeviceAuth:Pairing:Deviceless).")]
    private partial void LogRefused(object? user, string? address, string objection);

    [LoggerMessage(1014, LogLevel.Warning, "User {User} already has {Limit} sessions of clients without a device; another one was refused (DeviceAuth:Limits:SessionsPerDevice).")]
    private partial void LogTooManySessions(object user, object limit);
}
