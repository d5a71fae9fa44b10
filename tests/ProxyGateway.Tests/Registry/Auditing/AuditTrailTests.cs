using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.Tests.Registry.Auditing;

public sealed class AuditTrailTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly Operator By = new("ops", UpTo: null, "192.0.2.9");
    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read", "operator.write");

    [Fact]
    public void An_ended_grant_is_entered_once_with_the_next_change()
    {
        DeviceRecord paired = Some.Paired(_claim, Start);
        Grant ending = paired.Grants[_claim.Key] with { Until = Start };
        paired = paired with { Grants = paired.Grants.SetItem(_claim.Key, ending) };
        DeviceRecord next = Transitions.SetLabel(paired with { Legacy = true }, "Mine", Start, Some.Lifetimes).Record with { Version = Some.Version() };

        AuditEntry entry = AuditTrail.Of(paired, next, Start, By, operation: null).ShouldHaveSingleItem();

        (entry.Kind, entry.Role, entry.Until, entry.Operator).ShouldBe(("grant-expired", _claim.Role, Start, null));
        AuditTrail.Of(next, next with { Version = Some.Version() }, Start, By, operation: null).ShouldBeEmpty();
        AuditTrail.Of(paired, next, Start.AddMilliseconds(-1), By, operation: null).ShouldBeEmpty("it has not run out yet");
    }

    [Fact]
    public void An_ask_is_a_request_opened_with_all_that_an_operator_would_see()
    {
        Ask ask = Ask(record: null, _claim, Start);

        AuditTrail.Of(previous: null, ask.Next, Start, by: null, operation: null).ShouldBe(
        [
            new AuditEntry
            {
                Kind = "request-opened",
                DeviceId = _claim.Device,
                RequestId = ask.Request!.Id,
                Role = "operator",
                Scopes = _claim.Scopes,
                Reason = "not-paired",
                Address = "192.0.2.1",
                Locality = LocalityKind.Network,
                Client = _claim.Client,
            },
        ]);
    }

    [Fact]
    public void An_approval_that_grants_other_roles_has_an_entry_for_each()
    {
        Ask other = Ask(record: null, _claim, Start);
        Ask node = Ask(other.Next, _claim.Asking("node", "camera"), Start);
        var also = new Dictionary<string, ScopeSet> { ["node"] = ScopeSet.Of("screen"), ["operator"] = _claim.Scopes, ["watcher"] = ScopeSet.Of("look") };
        GrantTerms terms = new GrantTerms(Until: Start.AddHours(2)) { Also = also.ToImmutableSortedDictionary(StringComparer.Ordinal) };

        DeviceRecord approved = Transitions.Approve(node.Next, node.Request!.Id, terms, By, ScopeImplications.Default, Start, Some.Lifetimes).Record;

        AuditEntry[] entries = [.. AuditTrail.Of(node.Next, approved with { Version = Some.Version() }, Start, By, operation: null)];
        entries.Select(e => $"{e.Kind} {e.Role}: {e.Scopes} by {e.Operator}").ShouldBe(
        [
            "request-covered operator: operator.read operator.write by ",
            "request-approved node: camera by ops",
            "grant-changed node: camera screen by ops",
            "grant-changed operator: operator.read operator.write by ops",
            "grant-changed watcher: look by ops",
        ]);
        entries.Where(e => e.Kind != "request-covered").ShouldAllBe(e => e.Until == Start.AddHours(2) && e.Address == By.Address);
    }

    [Fact]
    public void A_renewed_request_is_not_entered()
    {
        Ask first = Ask(record: null, _claim, Start);
        Ask renewed = Ask(first.Next, _claim, Start.AddMinutes(4));

        renewed.Outcome.ShouldBe(AskOutcome.Renewed);
        AuditTrail.Of(first.Next, renewed.Next, Start, by: null, operation: null).ShouldBeEmpty();
    }

    [Fact]
    public void An_approval_says_what_was_granted_and_by_whom_from_where()
    {
        Ask ask = Ask(record: null, _claim, Start);
        ScopeSet granted = ScopeSet.Of("operator.read");
        Decision approved = Transitions.Approve(ask.Next, ask.Request!.Id, new GrantTerms(granted), By, ScopeImplications.Default, Start, Some.Lifetimes);

        AuditTrail.Of(ask.Next, approved.Record, Start, By, operation: null).ShouldBe(
        [
            new AuditEntry
            {
                Kind = "request-approved",
                DeviceId = _claim.Device,
                RequestId = ask.Request.Id,
                Role = "operator",
                Scopes = granted,
                Operator = "ops",
                Address = "192.0.2.9",
            },
        ]);
    }

    [Fact]
    public void A_request_that_an_approval_covers_is_its_own_entry_and_not_the_operators()
    {
        Ask narrow = Ask(record: null, _claim.Asking("operator", "operator.read"), Start);
        Ask wide = Ask(narrow.Next, _claim, Start);
        Decision approved = Transitions.Approve(wide.Next, wide.Request!.Id, new GrantTerms(), By, ScopeImplications.Default, Start, Some.Lifetimes);

        AuditEntry[] entries = [.. AuditTrail.Of(wide.Next, approved.Record, Start, By, operation: null)];

        entries.Select(e => (e.Kind, e.RequestId, e.Operator)).ShouldBe(
            [("request-covered", narrow.Request!.Id, null), ("request-approved", wide.Request.Id, "ops")]);
    }

    [Fact]
    public void A_rejection_names_the_operator()
    {
        Ask ask = Ask(record: null, _claim, Start);
        Decision rejected = Transitions.Reject(ask.Next, ask.Request!.Id, By, Start, Some.Lifetimes);

        AuditEntry entry = AuditTrail.Of(ask.Next, rejected.Record, Start, By, operation: null).ShouldHaveSingleItem();

        (entry.Kind, entry.Operator, entry.Scopes).ShouldBe(("request-rejected", "ops", _claim.Scopes));
    }

    [Fact]
    public void A_removal_is_entered_before_its_effect_on_requests()
    {
        Ask ask = Ask(Some.Paired(_claim, Start), _claim.Asking("node"), Start);
        DeviceRecord removed = Transitions.Remove(ask.Next, By, Start, Some.Lifetimes);
        var operation = new AuditEntry { Kind = AuditKinds.DeviceRemoved, DeviceId = _claim.Device };

        AuditTrail.Of(ask.Next, removed, Start, By, operation).Select(e => (e.Kind, e.Operator))
            .ShouldBe([("device-removed", "ops"), ("request-expired", "ops")]);
    }

    [Theory]
    [InlineData(6)] // still readable
    [InlineData(20)] // gone from the record
    public void An_expired_request_is_entered_with_the_next_change(int minutes)
    {
        Ask first = Ask(record: null, _claim, Start);
        Ask second = Ask(first.Next, _claim.Asking("node"), Start.AddMinutes(minutes));

        AuditTrail.Of(first.Next, second.Next, Start, by: null, operation: null).Select(e => (e.Kind, e.RequestId, e.Operator)).ShouldBe(
            [("request-expired", first.Request!.Id, null), ("request-opened", second.Request!.Id, (string?)null)], ignoreOrder: true);
    }

    [Fact]
    public void Every_kind_has_a_name_and_unknown_kinds_are_in_the_strangers_history()
    {
        AuditKinds.All.ShouldBeUnique();
        AuditKinds.All.ShouldAllBe(k => k.All(c => char.IsAsciiLetterLower(c) || c == '-'));
        AuditKinds.All.Count.ShouldBe(typeof(AuditKinds).GetFields().Count(f => f.IsLiteral));
        foreach (string kind in new[] { AuditKinds.DeviceAutoApproved, AuditKinds.GrantExpired, AuditKinds.DeviceForgotten, AuditKinds.RequestCovered })
            AuditKinds.SourceOf(kind).ShouldBe(AuditSource.Changes, kind);
        foreach (string kind in new[] { AuditKinds.DeviceAdmitted, AuditKinds.SessionOpened, AuditKinds.SessionClosed })
            AuditKinds.SourceOf(kind).ShouldBe(AuditSource.Devices, kind);
        AuditKinds.SourceOf("of-a-newer-gateway").ShouldBe(AuditSource.Strangers);
        AuditKinds.SourceOf(new AuditEntry { Kind = AuditKinds.RequestExpired, Operator = "ops" }).ShouldBe(AuditSource.Operators);
        foreach (string kind in new[] { AuditKinds.DeviceRefused, AuditKinds.UpgradeRefused, AuditKinds.RequestOpened, AuditKinds.RequestExpired })
            AuditKinds.SourceOf(kind).ShouldBe(AuditSource.Strangers, kind);
    }

    [Fact]
    public void A_document_keeps_the_whole_entry_and_takes_more_from_newer_gateways()
    {
        AuditEntry entry = AuditTrail.Of(previous: null, Ask(record: null, _claim, Start).Next, Start, By, operation: null).Single() with
        {
            Time = Start,
            Gateway = "gw",
            CloseCode = 1008,
            Rule = "loopback",
            Operator = "ops",
            Uncertain = true,
        };

        AuditDocument.Deserialize(AuditDocument.Serialize(entry), id: 7).ShouldBe(entry with { Id = 7 });
        AuditDocument.Deserialize("""{"kind":"of-a-newer-gateway","more":1}"""u8, id: 8).Kind.ShouldBe("of-a-newer-gateway");
        Should.Throw<RegistryUnavailableException>(() => AuditDocument.Deserialize("null"u8, id: 9));
        Should.Throw<RegistryUnavailableException>(() => AuditDocument.Deserialize("{"u8, id: 9));
    }

    private static Ask Ask(DeviceRecord? record, DeviceClaim claim, DateTimeOffset now) =>
        Transitions.Ask(record, claim, PairingReason.NotPaired, LocalityKind.Network, "192.0.2.1", now, Some.Lifetimes);
}
