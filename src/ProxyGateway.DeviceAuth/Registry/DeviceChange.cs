using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What an operator changes about a device, request or no request: a transition, and how the audit calls it.</summary>
public abstract record DeviceChange
{
    private DeviceChange()
    {
    }

    /// <summary>
    /// Whether a record of this version (null: none; empty: one that is damaged) may be changed, as what the operator has seen. Null: any may.
    /// What would not be done anyway is not held against it (RFC 9110 §13.2.1).
    /// </summary>
    public Predicate<string?>? Precondition { get; init; }

    /// <summary>The record after the change, and whether there is one.</summary>
    /// <param name="record">What is on record; null if nothing.</param>
    /// <param name="id">The device.</param>
    /// <param name="by">Who changes it.</param>
    /// <param name="rules">The policy and bounds in force.</param>
    /// <param name="now">The store's time.</param>
    /// <returns>Null if there is no such device.</returns>
    internal abstract Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now);

    /// <summary>The audit's entry of it, without device, operator and time.</summary>
    internal abstract AuditEntry Operation { get; }

    /// <summary>Sets what the device may do in a role that it holds, or gives it one more. The device has to be paired.</summary>
    /// <param name="Role">The role.</param>
    /// <param name="Terms">What is granted.</param>
    public sealed record SetGrant(string Role, GrantTerms Terms) : DeviceChange
    {
        internal override AuditEntry Operation => new() { Kind = AuditKinds.GrantChanged, Role = Role, Scopes = Terms.Scopes ?? ScopeSet.Empty, Until = Terms.Until };

        internal override Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now) =>
            record is null ? null : Transitions.SetGrant(record, Role, Terms, by, rules.Policy.Implications, now, rules.Lifetimes);
    }

    /// <summary>Takes a role away.</summary>
    /// <param name="Role">The role.</param>
    public sealed record TakeGrant(string Role) : DeviceChange
    {
        internal override AuditEntry Operation => new() { Kind = AuditKinds.GrantRemoved, Role = Role };

        internal override Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now) =>
            record is null ? null : Transitions.SetGrant(record, Role, terms: null, by, rules.Policy.Implications, now, rules.Lifetimes);
    }

    /// <summary>Gives the device a name, or takes it away.</summary>
    /// <param name="Label">The name, safe to show; null for none.</param>
    public sealed record SetLabel(string? Label) : DeviceChange
    {
        internal override AuditEntry Operation => new() { Kind = AuditKinds.DeviceLabelled, Note = Label };

        internal override Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now) =>
            record is null ? null : Transitions.SetLabel(record, Label, now, rules.Lifetimes);
    }

    /// <summary>Keeps the device out, known or not.</summary>
    /// <param name="Reason">Why, safe to show; null if there is nothing to say.</param>
    public sealed record Block(string? Reason) : DeviceChange
    {
        internal override AuditEntry Operation => new() { Kind = AuditKinds.DeviceBlocked, Note = Reason };

        internal override Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now) =>
            Transitions.Block(record, id, Reason, by, now, rules.Lifetimes);
    }

    /// <summary>Lets a blocked device in again.</summary>
    public sealed record Unblock : DeviceChange
    {
        internal override AuditEntry Operation => new() { Kind = AuditKinds.DeviceUnblocked };

        internal override Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now) =>
            record is null ? null : Transitions.Unblock(record, by, rules.Policy.Implications, now, rules.Lifetimes);
    }

    /// <summary>Removes the device, also one whose record is damaged: then <see cref="Apply"/> sees none.</summary>
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

    /// <summary>Takes back what a rule has approved for the device, and the device itself if that was all.</summary>
    /// <param name="Rule">The rule's name.</param>
    public sealed record RemoveByRule(string Rule) : DeviceChange
    {
        internal override AuditEntry Operation => new() { Kind = AuditKinds.DeviceRemoved, Rule = Rule };

        internal override Decision? Apply(DeviceRecord? record, DeviceId id, Operator by, PairingRules rules, DateTimeOffset now) =>
            record is null ? null : Transitions.RemoveByRule(record, Rule, by, now, rules.Lifetimes);
    }
}
