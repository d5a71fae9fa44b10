using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Overview;

/// <summary>
/// Why something was refused, for counting: a closed set, so that no text of a client or of an application becomes a series of its own. The names are stable,
/// and their order is that of the counts in the registry: a new one goes to the end.
/// </summary>
public static class RefusalReasons
{
    /// <summary>An operator has to approve the device, a role of it or more scopes first.</summary>
    public const string PairingRequired = "pairing-required";

    /// <summary>An operator has rejected its request.</summary>
    public const string Rejected = "rejected";

    /// <summary>An operator has blocked the device.</summary>
    public const string Blocked = "blocked";

    /// <summary>No grant covers it, and it has not shown the token or the scope that would let it ask.</summary>
    public const string Unauthorized = "unauthorized";

    /// <summary>It has proved nothing: the handshake or its proof is not valid, or did not come in time.</summary>
    public const string Invalid = "invalid";

    /// <summary>Its proof was used before, or its session token counts no longer.</summary>
    public const string Replayed = "replayed";

    /// <summary>A page of a foreign origin.</summary>
    public const string Origin = "origin";

    /// <summary>A limit of the gateway is reached: it may come again later.</summary>
    public const string Busy = "busy";

    /// <summary>The registry does not answer, or its announcements do not arrive.</summary>
    public const string RegistryUnavailable = "registry-unavailable";

    /// <summary>The backend has refused it, or failed.</summary>
    public const string Backend = "backend";

    /// <summary>Anything else, such as a filter of the application.</summary>
    public const string Other = "other";

    /// <summary>All of them, in their order.</summary>
    public static ImmutableArray<string> All { get; } =
        [PairingRequired, Rejected, Blocked, Unauthorized, Invalid, Replayed, Origin, Busy, RegistryUnavailable, Backend, Other];

    /// <summary>The reason of an entry; null if it is no refusal of the gate or of a backend.</summary>
    /// <param name="entry">An entry of the audit.</param>
    public static string? Of(AuditEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return entry.Kind switch
        {
            AuditKinds.BackendRefused => Backend,
            AuditKinds.UpgradeRefused => entry.Reason == Origin ? Origin : Busy,
            AuditKinds.DeviceRefused => OfDevice(entry),
            _ => null,
        };
    }

    private static string OfDevice(AuditEntry entry) => entry.Reason switch
    {
        "not-paired" or "role-upgrade" or "scope-upgrade" => PairingRequired,
        "rejected" => Rejected,
        "blocked" => Blocked,
        "unauthorized" or "insufficient scope" => Unauthorized,
        "proof-already-used" or "proof already used" or "session-token-outdated" or "session token invalid" => Replayed,
        "busy" or "reloaded" or "too-many-sessions" or "too-many-requests" or "try again later" => Busy,
        "registry-unavailable" or "registry unavailable" => RegistryUnavailable,
        "backend handshake failed" => Backend,
        "internal error" => Other,
        _ => entry.DeviceId is null ? Invalid : Other,
    };
}
