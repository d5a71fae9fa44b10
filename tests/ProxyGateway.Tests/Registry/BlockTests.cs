using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

/// <summary>A blocked device is out, whatever it holds and whatever rules say, and holds it again once it is let in.</summary>
public sealed class BlockTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);

    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");

    [Fact]
    public void A_blocked_device_is_refused_even_if_a_grant_covers_it_or_a_rule_would_approve_it()
    {
        foreach (DeviceRecord? before in new[] { Some.Paired(_claim, Start), null })
        {
            DeviceRecord blocked = Block(before).Record;

            PairingPolicy.Default.Decide(blocked, _claim, new Locality(IsLoopback: true)).ShouldBeOfType<PairingDecision.Refuse>();
            PairingPolicy.Default.Admits(blocked, _claim).ShouldBeFalse();
        }
    }

    [Fact]
    public void An_unblocked_device_has_its_grants_again()
    {
        DeviceRecord paired = Some.Paired(_claim, Start);

        Decision unblocked = Unblock(Block(paired).Record);

        unblocked.Outcome.ShouldBe(DecisionOutcome.Done);
        DeviceDocument.Serialize(unblocked.Record).ShouldBe(DeviceDocument.Serialize(paired));
        PairingPolicy.Default.Admits(unblocked.Record, _claim).ShouldBeTrue();
        Unblock(paired).Outcome.ShouldBe(DecisionOutcome.NotFound);
    }

    [Fact]
    public void A_block_ends_open_requests()
    {
        Ask ask = Transitions.Ask(record: null, _claim, PairingReason.NotPaired, LocalityKind.Remote, address: null, Start, Some.Lifetimes);

        DeviceRecord blocked = Block(ask.Next).Record;

        PairingRequest request = blocked.Requests.ShouldHaveSingleItem();
        (request.Status, request.ResolvedBy).ShouldBe((PairingRequestStatus.Expired, "ops"));
        Transitions.Approve(blocked, request.Id, new GrantTerms(), Some.Operator, ScopeImplications.Default, Start, Some.Lifetimes)
            .Outcome.ShouldBe(DecisionOutcome.AlreadyResolved);
    }

    [Fact]
    public void A_block_never_expires_and_survives_a_removal()
    {
        DeviceRecord blocked = Block(record: null).Record;
        Transitions.ExpiresAt(blocked, Some.Lifetimes).ShouldBeNull();

        DeviceRecord removed = Transitions.Remove(Block(Some.Paired(_claim, Start)).Record, Some.Operator, Start, Some.Lifetimes);

        removed.Block.ShouldNotBeNull();
        removed.Grants.ShouldBeEmpty();
        removed.IsListed.ShouldBeTrue();
    }

    [Fact]
    public void Blocking_again_changes_the_reason_and_keeps_the_time()
    {
        DeviceRecord blocked = Block(Some.Paired(_claim, Start)).Record;

        Block(blocked).Outcome.ShouldBe(DecisionOutcome.AlreadyDone);
        Decision again = Transitions.Block(blocked, _claim.Device, "stolen", new Operator("eve"), Start.AddDays(1), Some.Lifetimes);

        again.Outcome.ShouldBe(DecisionOutcome.Done);
        again.Record.Block.ShouldBe(new Block { At = Start, By = "eve", Reason = "stolen" });
    }

    [Fact]
    public void Unblocking_above_the_operators_ceiling_is_refused()
    {
        DeviceRecord blocked = Block(Some.Paired(_claim.Asking("operator", "operator.admin"), Start)).Record;
        var ceiling = ImmutableDictionary<string, ScopeSet>.Empty.Add("operator", ScopeSet.Of("operator.write"));

        Unblock(blocked, new Operator("lim", ceiling)).Outcome.ShouldBe(DecisionOutcome.AboveCeiling);
        Unblock(blocked, new Operator("lim", ceiling.SetItem("operator", ScopeSet.Of("operator.admin")))).Outcome.ShouldBe(DecisionOutcome.Done);
    }

    // A legacy device counts as approved for no role in particular, and only in the audience default.
    [Fact]
    public void Only_an_operator_who_could_import_a_legacy_device_may_unblock_it()
    {
        DeviceRecord blocked = Block(Some.Paired(_claim, Start) with { Legacy = true, Grants = ImmutableSortedDictionary<GrantKey, Grant>.Empty }).Record;

        Unblock(blocked, new Operator("lim", ImmutableDictionary<string, ScopeSet>.Empty)).Outcome.ShouldBe(DecisionOutcome.AboveCeiling);
        Unblock(blocked, new Operator("mail") { Audiences = [Audience.Parse("mail")] }).Outcome.ShouldBe(DecisionOutcome.AboveCeiling);
        Unblock(blocked, new Operator("all") { Audiences = [Audience.Default] }).Outcome.ShouldBe(DecisionOutcome.Done);
    }

    [Fact]
    public void An_operator_of_one_audience_does_not_unblock_a_device_of_another()
    {
        DeviceRecord blocked = Block(Some.Paired(_claim with { Audience = Audience.Parse("mail") }, Start)).Record;

        Unblock(blocked, new Operator("ops") { Audiences = [Audience.Default] }).Outcome.ShouldBe(DecisionOutcome.AboveCeiling);
        Unblock(blocked, new Operator("ops") { Audiences = [Audience.Parse("mail")] }).Outcome.ShouldBe(DecisionOutcome.Done);
    }

    private static Decision Unblock(DeviceRecord record, Operator? by = null) =>
        Transitions.Unblock(record, by ?? Some.Operator, ScopeImplications.Default, Start, Some.Lifetimes);

    private Decision Block(DeviceRecord? record) => Transitions.Block(record, _claim.Device, "lost", Some.Operator, Start, Some.Lifetimes);
}
