using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>An operator's change of a device, with or without a request: a transition, and its audit entry.</summary>
public abstract record DeviceChange
{
    private DeviceChange()
    {
    }

    /// <summary>
    /// Whether a record of this version (null: none; empty: a damaged one) is the one that the operator saw, and may be changed. Null: any
    /// may. It is not checked for a change that would do nothing (RFC 9110 §13.2.1).
    /// </summary>
    public Predicate<string?>? Precondition { get; init; }

    /// <summary>The record after the change.</summary>
    /// <param name="record">The record; null if there is none.</param>
    /// <param name="id">The device.</param>
    /// <param name="by">The operator.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="now">The store's time.</param>
    /// <returns>Null if there is no such device.</returns>
    internal abstract Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now);

    /// <summary>The audit entry, without device, operator and time.</summary>
    internal abstract AuditEntry Operation { get; }

    /// <summary>Sets the grant of a device in a role that it has, or adds a role. The device must be paired, in any audience.</summary>
    /// <param name="Key">The role in its audience.</param>
    /// <param name="Terms">The grant.</param>
    public sealed record SetGrant(GrantKey Key, GrantTerms Terms) : DeviceChange
    {
        internal override AuditEntry Operation =>
            new() { Kind = AuditKinds.GrantChanged, Audience = Key.Audience, Role = Key.Role, Scopes = Terms.Scopes ?? ScopeSet.Empty, Until = Terms.Until };

        internal override Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now) =>
            record is null ? null : Transitions.SetGrant(record, Key, Terms, by, rules.Policy.Implications, now, rules.Lifetimes);
    }

    /// <summary>Revokes a role.</summary>
    /// <param name="Key">The role in its audience.</param>
    public sealed record TakeGrant(GrantKey Key) : DeviceChange
    {
        internal override AuditEntry Operation => new() { Kind = AuditKinds.GrantRemoved, Audience = Key.Audience, Role = Key.Role };

        internal override Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now) =>
            record is null ? null : Transitions.SetGrant(record, Key, terms: null, by, rules.Policy.Implications, now, rules.Lifetimes);
    }

    /// <summary>Sets or removes the device's label.</summary>
    /// <param name="Label">The label, safe to show; null for none.</param>
    public sealed record SetLabel(string? Label) : DeviceChange
    {
        internal override AuditEntry Operation => new() { Kind = AuditKinds.DeviceLabelled, Note = Label };

        internal override Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now) =>
            record is null ? null : Transitions.SetLabel(record, Label, now, rules.Lifetimes);
    }

    /// <summary>Blocks the device, known or not.</summary>
    /// <param name="Reason">The reason, safe to show; null for none.</param>
    public sealed record Block(string? Reason) : DeviceChange
    {
        internal override AuditEntry Operation => new() { Kind = AuditKinds.DeviceBlocked, Note = Reason };

        internal override Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now) =>
            Transitions.Block(record, id, Reason, by, now, rules.Lifetimes);
    }

    /// <summary>Unblocks the device.</summary>
    public sealed record Unblock : DeviceChange
    {
        internal override AuditEntry Operation => new() { Kind = AuditKinds.DeviceUnblocked };

        internal override Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now) =>
            record is null ? null : Transitions.Unblock(record, by, rules.Policy.Implications, now, rules.Lifetimes);
    }

    /// <summary>Removes the device, also one whose record is damaged: then <see cref="Apply"/> gets null.</summary>
    public sealed record Remove : DeviceChange
    {
        internal override AuditEntry Operation => new() { Kind = AuditKinds.DeviceRemoved };

        internal override Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now)
        {
            if (record is null)
                return null;
            bool isThere = record.IsPaired || record.Requests.Any(r => r.IsOpen(now));
            return isThere
                ? new Decision(DecisionOutcome.Done, Transitions.Remove(record, by, now, rules.Lifetimes))
                : new Decision(DecisionOutcome.NotFound, record);
        }
    }

    /// <summary>Takes back a rule's approvals for the device, and removes the device if it has no others.</summary>
    /// <param name="Rule">The rule's name.</param>
    public sealed record RemoveByRule(string Rule) : DeviceChange
    {
        internal override AuditEntry Operation => new() { Kind = AuditKinds.DeviceRemoved, Rule = Rule };

        internal override Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now) =>
            record is null ? null : Transitions.RemoveByRule(record, Rule, by, now, rules.Lifetimes);
    }
}
