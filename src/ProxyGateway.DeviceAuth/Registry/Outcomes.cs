using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>Whoever decides, and how far they may go.</summary>
/// <param name="Name">The name that records and audit keep.</param>
/// <param name="UpTo">Role -> scopes that they may grant at most; a role that is not in it is refused. Null: anything.</param>
/// <param name="Address">For the audit: where they decide from; null if it cannot be told.</param>
public sealed record Operator(string Name, ImmutableDictionary<string, ScopeSet>? UpTo = null, string? Address = null)
{
    /// <summary>Whether the operator's ceiling allows this grant.</summary>
    public bool MayGrant(string role, ScopeSet scopes, ScopeImplications implications)
    {
        ArgumentNullException.ThrowIfNull(implications);
        return UpTo is null || (UpTo.TryGetValue(role, out ScopeSet? ceiling) && implications.Covers(role, ceiling, scopes));
    }
}

/// <summary>What became of a device's ask.</summary>
public enum AskOutcome
{
    /// <summary>A new request waits for an operator.</summary>
    Opened,

    /// <summary>The same ask is open already, and its expiry moved on.</summary>
    Renewed,

    /// <summary>The same ask is open already; nothing changed.</summary>
    Same,

    /// <summary>An operator rejected the same ask a short time ago; nothing was opened.</summary>
    Rejected,

    /// <summary>The device has too many open requests; nothing was opened.</summary>
    TooMany,
}

/// <summary>An ask, and the record after it.</summary>
/// <param name="Outcome">What became of it.</param>
/// <param name="Next">The record to write, where the outcome changed something.</param>
/// <param name="Request">The request that stands for the ask; null if there are too many.</param>
public sealed record Ask(AskOutcome Outcome, DeviceRecord Next, PairingRequest? Request);

/// <summary>What became of an operator's decision.</summary>
public enum DecisionOutcome
{
    /// <summary>Decided.</summary>
    Done,

    /// <summary>The same was decided before; nothing changed.</summary>
    AlreadyDone,

    /// <summary>It was decided otherwise, has expired, or is covered by another approval.</summary>
    AlreadyResolved,

    /// <summary>There is no such request, device, grant or block.</summary>
    NotFound,

    /// <summary>The scopes named are not covered by those that were asked for.</summary>
    WiderThanAsked,

    /// <summary>The operator's ceiling does not allow the grant.</summary>
    AboveCeiling,

    /// <summary>The end that was named for the grant is not in the future.</summary>
    UntilIsPast,

    /// <summary>An end was named for what the device asks for, and it holds the role without one: it would lose what it holds.</summary>
    HeldWithoutEnd,

    /// <summary>The record is not of the version that the operator has seen.</summary>
    OtherVersion,
}

/// <summary>An operator's decision, and the record after it.</summary>
/// <param name="Outcome">What became of it.</param>
/// <param name="Record">The record, changed if <see cref="DecisionOutcome.Done"/>.</param>
/// <param name="Request">The request as it stands now; null if it was not about one, or there is none.</param>
public sealed record Decision(DecisionOutcome Outcome, DeviceRecord Record, PairingRequest? Request = null);

/// <summary>What an operator grants.</summary>
/// <param name="Scopes">The scopes; null for all that was asked for.</param>
/// <param name="Until">From when on the grant covers nothing any more; null if nobody says.</param>
public sealed record GrantTerms(ScopeSet? Scopes = null, DateTimeOffset? Until = null);
