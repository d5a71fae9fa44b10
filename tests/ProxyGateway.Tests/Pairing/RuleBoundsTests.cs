using FsCheck.Xunit;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Pairing;

/// <summary>What rules may put on record for one device has a bound; past it an operator decides.</summary>
public sealed class RuleBoundsTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly ScopeImplications Implications = ScopeImplications.Default;
    private static readonly Locality Loopback = new(IsLoopback: true);

    private static readonly PairingPolicy Everything = new()
    {
        AutoApprove = [new AutoApproveRule { Name = "everything", FromAny = true, Reasons = [.. Enum.GetValues<PairingReason>()] }],
    };

    private readonly DeviceClaim _claim = Some.Claim();

    [Theory]
    [InlineData(16, 125, true)] // each with its quotes and a comma: 2,048 bytes
    [InlineData(16, 126, false)]
    [InlineData(64, 29, true)]
    [InlineData(64, 30, false)]
    [InlineData(64, 128, false)]
    public void A_claim_has_two_kibibytes_of_scopes_at_most_for_a_rule(int count, int length, bool approved)
    {
        DeviceClaim claim = _claim.Asking("operator", Scopes(count, length));

        Decide(record: null, claim).ShouldBe(approved ? "everything" : "not-paired");
        Everything.Decide(Some.Paired(claim, Start), claim, Loopback).ShouldBeOfType<PairingDecision.Admit>("what is covered is covered");
    }

    [Theory]
    [InlineData(127, 10, true)]
    [InlineData(128, 10, false)]
    [InlineData(30, 128, true)] // 3,930 bytes and 131 more
    [InlineData(31, 128, false)]
    public void A_grant_has_128_scopes_and_four_kibibytes_at_most_by_rules(int held, int length, bool approved)
    {
        DeviceRecord record = Some.Paired(_claim.Asking("operator", Scopes(held, length)), Start);
        DeviceClaim claim = _claim.Asking("operator", new string('z', length));

        Decide(record, claim).ShouldBe(approved ? "everything" : "scope-upgrade");
    }

    [Fact]
    public void A_device_has_sixteen_roles_and_sixteen_kibibytes_at_most_by_rules()
    {
        DeviceRecord record = Some.Paired(_claim.Asking("role0"), Start);
        for (int i = 1; i < RuleBounds.Roles; i++)
        {
            DeviceClaim claim = _claim.Asking($"role{i}");
            Decide(record, claim).ShouldBe("everything");
            record = Approved(record, claim);
        }

        Decide(record, _claim.Asking("role16")).ShouldBe("role-upgrade");
        Decide(record, _claim.Asking("role15", "a")).ShouldBe("everything", "a role that is there may grow");

        record = Some.Paired(_claim.Asking("role0"), Start);
        for (int i = 1; i <= 4; i++)
        {
            record = Approved(record, _claim.Asking($"role{i}", Scopes(15, 128)));
            record = Approved(record, _claim.Asking($"role{i}", [.. Scopes(30, 128)[15..]]));
        }

        Decide(record, _claim.Asking("role5", Scopes(5, 128))).ShouldBe("role-upgrade", "15,765 bytes and 663 more");
        Decide(record, _claim.Asking("role5", Scopes(4, 128))).ShouldBe("everything");
    }

    // In bytes: the scopes that the role has, those that the device asks for, and another role with its scopes.
    [Theory]
    [InlineData("operator", 2048, 2048, 20, true)] // 4,096 in the grant
    [InlineData("operator", 2049, 2048, 20, false)]
    [InlineData("operator", 1000, 500, 14_873, true)] // 16,384 in the record, with 11 of the role
    [InlineData("operator", 1000, 500, 14_874, false)]
    [InlineData("node", 0, 500, 15_877, true)] // with 7 of the new role
    [InlineData("node", 0, 500, 15_878, false)]
    public void Rules_fill_a_grant_and_a_record_to_the_last_byte(string role, int held, int asked, int other, bool allowed)
    {
        DeviceRecord record = Some.Paired(_claim.Asking("other", Sized('o', other - RuleBounds.SizeOf("other"))), Start);
        if (held > 0)
            record = record with { Grants = record.Grants.Add(role, new Grant { Scopes = ScopeSet.Of(Sized('h', held)), ApprovedAt = Start }) };

        RuleBounds.SizeOf(record).ShouldBe(other + (held == 0 ? 0 : RuleBounds.SizeOf(role) + held));
        RuleBounds.Allow(record, _claim.Asking(role, Sized('a', asked))).ShouldBe(allowed);
    }

    [Theory]
    [InlineData(128, true)]
    [InlineData(129, false)]
    public void A_full_grant_is_within_the_bounds_and_a_fuller_one_is_not(int held, bool allowed) =>
        RuleBounds.Allow(Some.Paired(_claim.Asking("operator", Scopes(held, 10)), Start), _claim.Asking("operator", Scopes(1, 10))).ShouldBe(allowed);

    [Fact]
    public void An_operator_may_approve_past_the_bounds_and_no_rule_adds_to_it()
    {
        DeviceClaim wide = _claim.Asking("operator", Scopes(64, 128));
        Ask ask = Transitions.Ask(record: null, wide, PairingReason.NotPaired, LocalityKind.Loopback, address: null, Start, Some.Lifetimes);

        DeviceRecord approved = Transitions.Approve(ask.Next, ask.Request!.Id, new GrantTerms(), Some.Operator, Implications, Start, Some.Lifetimes).Record;

        Everything.Decide(approved, wide, Loopback).ShouldBeOfType<PairingDecision.Admit>();
        Decide(approved, _claim.Asking("operator", "a")).ShouldBe("scope-upgrade");
        Decide(approved, _claim.Asking("node")).ShouldBe("everything", "in another role there is room");
    }

    [Fact]
    public void A_record_past_the_bounds_is_read_and_covers_but_rules_do_not_enlarge_it()
    {
        DeviceRecord large = Some.Paired(_claim.Asking("operator", Scopes(27_000, 128)), Start);

        DeviceRecord read = DeviceDocument.Deserialize(DeviceDocument.Serialize(large), large.Id, large.Version);

        read.ScopesOf("operator").ShouldBe(large.ScopesOf("operator"));
        Everything.Decide(read, _claim.Asking("operator", Scopes(64, 128)), Loopback).ShouldBeOfType<PairingDecision.Admit>();
        Decide(read, _claim.Asking("operator", "one.more")).ShouldBe("scope-upgrade");
        Decide(read, _claim.Asking("node")).ShouldBe("role-upgrade", "nor does another role have room in it");
    }

    [Property(MaxTest = 60)]
    public void No_sequence_of_rules_approvals_is_past_the_bounds(int seed)
    {
        var random = new Random(seed);
        int length = random.Next(1, ScopeSet.MaxNameLength);
        PairingPolicy[] policies = [Everything, Everything with { AutoApprove = [Everything.AutoApprove[0] with { Name = "another" }] }];
        DeviceRecord? record = null;
        for (int i = 0; i < 200; i++)
        {
            string[] scopes = [.. Enumerable.Range(0, random.Next(20)).Select(_ => $"{random.Next(1_000_000)}".PadLeft(length, 's')[^Math.Min(length, 128)..])];
            DeviceClaim claim = _claim.Asking($"{random.Next(30)}".PadLeft(length, 'r')[^length..], scopes);
            if (policies[random.Next(2)].Decide(record, claim, Loopback) is PairingDecision.AutoApprove approve)
                record = Transitions.AutoApprove(record, claim, approve.Rule, Implications, Start.AddMinutes(i), Some.Lifetimes);
        }

        record.ShouldNotBeNull().Grants.Count.ShouldBeLessThanOrEqualTo(RuleBounds.Roles);
        record.Grants.Values.ShouldAllBe(g => g.Scopes!.Count <= RuleBounds.Scopes && g.Scopes.Bytes <= RuleBounds.GrantBytes);
        RuleBounds.SizeOf(record).ShouldBeLessThanOrEqualTo(RuleBounds.RecordBytes);
        DeviceDocument.Serialize(record).Length.ShouldBeLessThanOrEqualTo((2 * RuleBounds.RecordBytes) + (RuleBounds.Roles * 256) + 1024, "each scope is there twice at most");
    }

    [Fact]
    public void Too_many_rejections_mark_the_whole_device()
    {
        DeviceRecord record = Some.Paired(_claim.Asking("operator"), Start);
        for (int i = 0; i < 200; i++)
        {
            DateTimeOffset now = Start.AddHours(i);
            Ask ask = Transitions.Ask(record, _claim.Asking($"role{i}"), PairingReason.RoleUpgrade, LocalityKind.Remote, address: null, now, Some.Lifetimes);
            record = Transitions.Reject(ask.Next, ask.Request!.Id, Some.Operator, now, Some.Lifetimes).Record;
            for (int asked = 0; asked <= i; asked += 50)
                record.Refusals!.Covers($"role{asked}").ShouldBeTrue();
            record.Refusals!.Roles.Count.ShouldBeLessThanOrEqualTo(RefusalMarks.MaxRoles);
        }

        record.Refusals!.WholeDevice.ShouldBeTrue();
        RefusalMarks? marks = record.Refusals;
        for (int i = 0; i < 200; i++)
            marks = RefusalMarks.Clear(marks, $"role{i}".InDefault());
        marks!.Cleared.Count.ShouldBe(RefusalMarks.MaxRoles);
        (marks.Covers("role0"), marks.Covers("role199")).ShouldBe((false, true));
    }

    [Fact]
    public void The_requests_of_one_device_have_a_bound_in_bytes_resolved_ones_included()
    {
        DeviceRecord? record = null;
        int opened = 0;
        for (int i = 0; i < 40; i++)
        {
            DeviceClaim claim = _claim.Asking($"role{i}", Scopes(64, 128));
            Ask ask = Transitions.Ask(record, claim, PairingReason.RoleUpgrade, LocalityKind.Remote, address: null, Start, Some.Lifetimes);
            if (ask.Outcome == AskOutcome.TooMany)
                continue;
            record = Transitions.Reject(ask.Next, ask.Request!.Id, Some.Operator, Start, Some.Lifetimes).Record;
            opened++;
        }

        opened.ShouldBe(5);
        DeviceDocument.SizeOfRequests(record!).ShouldBeInRange(40_000, Transitions.MaxRequestBytesPerDevice + 512);
        Transitions.Ask(record, _claim.Asking("later"), PairingReason.RoleUpgrade, LocalityKind.Remote, address: null, Start + (2 * Some.Lifetimes.Request), Some.Lifetimes)
            .Outcome.ShouldBe(AskOutcome.Opened, "they are not kept for long");
    }

    private static string[] Scopes(int count, int length) => [.. Enumerable.Range(0, count).Select(i => $"{i}".PadLeft(length, 's'))];

    /// <summary>Scopes that have this size together, each with its quotes and a comma.</summary>
    private static string[] Sized(char first, int bytes)
    {
        int count = (bytes + 130) / 131;
        return [.. Enumerable.Range(0, count).Select(i => $"{first}{i}".PadRight((bytes / count) + (i < bytes % count ? 1 : 0) - 3, '-'))];
    }

    private static DeviceRecord Approved(DeviceRecord record, DeviceClaim claim) =>
        Transitions.AutoApprove(record, claim, "everything", Implications, Start, Some.Lifetimes);

    private static string Decide(DeviceRecord? record, DeviceClaim claim) => Everything.Decide(record, claim, Loopback) switch
    {
        PairingDecision.AutoApprove approve => approve.Rule,
        PairingDecision.RequirePairing require => require.Reason.ToWireName(),
        PairingDecision other => other.ToString(),
    };
}
