namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>The kinds of audit entries. The names are stable: programs filter by them.</summary>
public static class AuditKinds
{
    /// <summary>An operator approved a request, or a part of it.</summary>
    public const string RequestApproved = "request-approved";

    /// <summary>An operator rejected a request.</summary>
    public const string RequestRejected = "request-rejected";

    /// <summary>An operator removed a device.</summary>
    public const string DeviceRemoved = "device-removed";

    /// <summary>An operator set the grant of a device in a role.</summary>
    public const string GrantChanged = "grant-changed";

    /// <summary>An operator revoked a role of a device.</summary>
    public const string GrantRemoved = "grant-removed";

    /// <summary>An operator set or removed the label of a device.</summary>
    public const string DeviceLabelled = "device-labelled";

    /// <summary>An operator blocked a device.</summary>
    public const string DeviceBlocked = "device-blocked";

    /// <summary>An operator unblocked a device.</summary>
    public const string DeviceUnblocked = "device-unblocked";

    /// <summary>An operator imported a device, or grants for it.</summary>
    public const string DeviceImported = "device-imported";

    /// <summary>An operator ended a session.</summary>
    public const string SessionEnded = "session-ended";

    /// <summary>An operator tried to grant more than their ceiling allows.</summary>
    public const string OperatorRefused = "operator-refused";

    /// <summary>An operator made an invitation: the entry's end is that of the invitation, not of the grant.</summary>
    public const string InvitationMade = "invitation-made";

    /// <summary>An operator withdrew an invitation.</summary>
    public const string InvitationWithdrawn = "invitation-withdrawn";

    /// <summary>A rule approved a device's claim.</summary>
    public const string DeviceAutoApproved = "device-auto-approved";

    /// <summary>A device was admitted. Each admission ends with a <see cref="SessionClosed"/>, unless the gateway is killed.</summary>
    public const string DeviceAdmitted = "device-admitted";

    /// <summary>
    /// Counts further admissions of one device by plain HTTP requests within a minute, with the same role and scopes and from the same address, that were not entered
    /// one by one. Of these requests only one that lasted, or that the gate ended, has a <see cref="SessionClosed"/>.
    /// </summary>
    public const string AdmissionsLeftOut = "admissions-left-out";

    /// <summary>The backend has accepted an admitted device.</summary>
    public const string SessionOpened = "session-opened";

    /// <summary>
    /// The backend has refused an admitted device: the reason has its code, its reason and the id of its own request, the note the command by which its
    /// owner can approve that.
    /// </summary>
    public const string BackendRefused = "backend-refused";

    /// <summary>The backend asked for a pairing of its own, and the gate has approved there what it had granted.</summary>
    public const string BackendApproved = "backend-approved";

    /// <summary>The connection of an admitted device ended; with a close code if the gate ended it.</summary>
    public const string SessionClosed = "session-closed";

    /// <summary>A grant ended. Entered when the device's record is next written.</summary>
    public const string GrantExpired = "grant-expired";

    /// <summary>A device that only rules had approved was not seen for <c>ForgetIdleAfter</c>, and was forgotten.</summary>
    public const string DeviceForgotten = "device-forgotten";

    /// <summary>A grant covered a request that was open.</summary>
    public const string RequestCovered = "request-covered";

    /// <summary>A device made a request that an operator must decide.</summary>
    public const string RequestOpened = "request-opened";

    /// <summary>A request expired, or the removal of its device ended it. Entered when the device's record is next written.</summary>
    public const string RequestExpired = "request-expired";

    /// <summary>A handshake was refused; the entry names the device only if it has proved its id.</summary>
    public const string DeviceRefused = "device-refused";

    /// <summary>A WebSocket upgrade was refused before any handshake.</summary>
    public const string UpgradeRefused = "upgrade-refused";

    /// <summary>
    /// Counts further entries of the two kinds before, from one address within a minute, that were not entered one by one.
    /// </summary>
    public const string RefusalsLeftOut = "refusals-left-out";

    /// <summary>All kinds.</summary>
    public static IReadOnlyCollection<string> All { get; } =
    [
        RequestApproved, RequestRejected, DeviceRemoved, GrantChanged, GrantRemoved,
        DeviceLabelled, DeviceBlocked, DeviceUnblocked, DeviceImported, SessionEnded, OperatorRefused, InvitationMade, InvitationWithdrawn,
        DeviceAutoApproved, DeviceAdmitted, AdmissionsLeftOut, BackendRefused, BackendApproved, SessionOpened, SessionClosed, GrantExpired, DeviceForgotten, RequestCovered,
        RequestOpened, RequestExpired, DeviceRefused, UpgradeRefused, RefusalsLeftOut,
    ];

    /// <summary>
    /// The histories that may have entries of this kind: its own, that of operators if an operator caused it, and the one in which older
    /// gateways entered it.
    /// </summary>
    public static IReadOnlyCollection<AuditSource> SourcesOf(string kind) => SourceOf(kind) switch
    {
        AuditSource.Operators => [AuditSource.Operators],
        AuditSource.Changes => [AuditSource.Operators, AuditSource.Changes, AuditSource.Devices],
        AuditSource source => [AuditSource.Operators, source],
    };

    /// <summary>The source of an entry: operators if it names one, else the source of its kind.</summary>
    public static AuditSource SourceOf(AuditEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return entry.Operator is null ? SourceOf(entry.Kind) : AuditSource.Operators;
    }

    /// <summary>The source of entries of this kind that name no operator.</summary>
    public static AuditSource SourceOf(string kind) => kind switch
    {
        RequestApproved or RequestRejected or DeviceRemoved or GrantChanged or GrantRemoved
            or DeviceLabelled or DeviceBlocked or DeviceUnblocked or DeviceImported or SessionEnded or OperatorRefused
            or InvitationMade or InvitationWithdrawn => AuditSource.Operators,
        DeviceAutoApproved or GrantExpired or DeviceForgotten or RequestCovered => AuditSource.Changes,
        DeviceAdmitted or AdmissionsLeftOut or BackendRefused or BackendApproved or SessionOpened or SessionClosed => AuditSource.Devices,
        _ => AuditSource.Strangers,
    };
}
