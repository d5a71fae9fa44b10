using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

/// <summary>What a record says of its device, and what an operator's no covers.</summary>
public sealed class DeviceRecordTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Later = Start.AddHours(1);

    // A grant is "r" of a rule, "o" of an operator; then whether the device is paired, listed, and paired by rules alone.
    [Theory]
    [InlineData("", "", false, false, false)]
    [InlineData("", "legacy", true, true, false)]
    [InlineData("", "blocked", false, true, false)]
    [InlineData("r", "", true, true, true)]
    [InlineData("r", "blocked", true, true, true)]
    [InlineData("r", "legacy", true, true, false)]
    [InlineData("rr", "", true, true, true)]
    [InlineData("ro", "", true, true, false)]
    [InlineData("or", "", true, true, false)]
    [InlineData("o", "", true, true, false)]
    public void A_device_is_paired_once_anything_is_approved(string grants, string state, bool isPaired, bool isListed, bool isByRulesAlone)
    {
        DeviceRecord record = Record() with
        {
            Grants = grants.Select((g, i) => (g, i)).ToImmutableSortedDictionary(
                g => $"role{g.i}".InDefault(),
                g => new Grant { ApprovedAt = Start, Rule = g.g == 'r' ? "lan" : null, ApprovedBy = g.g == 'o' ? "ops" : null }),
            Legacy = state == "legacy",
            Block = state == "blocked" ? new Block { At = Start, By = "ops" } : null,
        };

        (record.IsPaired, record.IsListed, record.IsByRulesAlone).ShouldBe((isPaired, isListed, isByRulesAlone));
    }

    // The audience of a grant, of a request, of a marked role and of a cleared one; "": there is none.
    [Theory]
    [InlineData("", "", "", "", false)]
    [InlineData("default", "default", "default", "default", false)]
    [InlineData("work", "", "", "", true)]
    [InlineData("", "work", "", "", true)]
    [InlineData("", "", "work", "", true)]
    [InlineData("", "", "", "work", true)]
    [InlineData("default work", "default", "default", "default", true)]
    [InlineData("default", "default work", "default", "default", true)]
    [InlineData("default", "default", "default work", "default", true)]
    [InlineData("default", "default", "default", "default work", true)]
    public void A_document_says_whether_an_older_gateway_would_mistake_one_audience_for_another(string granted, string asked, string marked, string cleared, bool names)
    {
        DeviceRecord record = Record() with
        {
            Grants = Keys(granted).ToImmutableSortedDictionary(k => k, _ => new Grant { ApprovedAt = Start }),
            Requests =
            [
                .. Keys(asked).Select(k => new PairingRequest
                {
                    Id = RequestId.New(Start),
                    DeviceId = DeviceId.Of([]),
                    Audience = k.Audience,
                    Role = k.Role,
                    Scopes = ScopeSet.Empty,
                    Reason = PairingReason.NotPaired,
                    Client = new ClientDescription(),
                    Locality = LocalityKind.Remote,
                    CreatedAt = Start,
                    ExpiresAt = Later,
                }),
            ],
            Refusals = marked.Length + cleared.Length == 0 ? null : new RefusalMarks { At = Start, WholeDevice = true, Roles = GrantKeySet.Of(Keys(marked)), Cleared = GrantKeySet.Of(Keys(cleared)) },
        };

        record.NamesAudiences.ShouldBe(names);

        static IEnumerable<GrantKey> Keys(string audiences) =>
            audiences.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(a => new GrantKey(Audience.Parse(a), "operator"));
    }

    [Theory]
    [InlineData("", false, false, false)]
    [InlineData("", true, true, false)]
    [InlineData("operator", false, true, false)]
    [InlineData("work/operator", false, false, true)]
    [InlineData("work/operator", true, true, true)]
    [InlineData("home/operator", false, false, false)]
    public void A_device_is_paired_for_the_audiences_of_its_grants(string grant, bool isLegacy, bool forDefault, bool forWork)
    {
        DeviceRecord record = Record() with { Legacy = isLegacy };
        if (GrantKey.TryParse(grant, out GrantKey key))
            record = record with { Grants = record.Grants.Add(key, new Grant { ApprovedAt = Start }) };

        (record.IsPairedFor(Audience.Default), record.IsPairedFor(Audience.Parse("work"))).ShouldBe((forDefault, forWork));
    }

    [Fact]
    public void A_record_that_was_never_stored_has_no_version() => Record().Version.ShouldBeEmpty();

    [Fact]
    public void Scopes_are_those_of_the_role()
    {
        DeviceRecord record = Record() with
        {
            Grants = Record().Grants
                .Add("operator", new Grant { Scopes = ScopeSet.Of("a"), ApprovedAt = Start })
                .Add("legacy", new Grant { ApprovedAt = Start }),
        };

        (record.ScopesOf("operator"), record.ScopesOf("legacy"), record.ScopesOf("node")).ShouldBe((ScopeSet.Of("a"), ScopeSet.Empty, ScopeSet.Empty));
    }

    [Theory]
    [InlineData(null, 0, true)]
    [InlineData(0, -1, true)]
    [InlineData(0, 0, false)]
    [InlineData(0, 1, false)]
    public void A_grant_is_gone_and_marked_from_its_end_on(int? end, int ticks, bool isHeld)
    {
        DeviceRecord record = Record() with
        {
            Grants = Record().Grants.Add("node", new Grant { ApprovedAt = Start, Until = end is null ? null : Later }).Add("other", new Grant { ApprovedAt = Start }),
        };

        DeviceRecord later = record.AsOf(Later.AddTicks(ticks));

        later.Grants.Keys.Names().ShouldBe(isHeld ? ["node", "other"] : ["other"]);
        if (isHeld)
            later.ShouldBeSameAs(record);
        else
            later.Refusals.ShouldBe(new RefusalMarks { At = Later, Roles = DefaultAudience.Roles("node") });
    }

    // ---- marks: WholeDevice, Roles, Cleared

    [Theory]
    [InlineData(false, "", "", "a", false)]
    [InlineData(false, "a", "", "a", true)]
    [InlineData(false, "a", "", "b", false)]
    [InlineData(true, "", "", "a", true)]
    [InlineData(true, "", "a", "a", false)]
    [InlineData(true, "", "a", "b", true)]
    [InlineData(true, "a", "a", "a", true)] // narrowed after it was approved again
    public void A_mark_covers_its_roles_or_all_but_those_that_were_cleared(bool wholeDevice, string roles, string cleared, string role, bool isCovered) =>
        Marks(wholeDevice, roles, cleared).Covers(role).ShouldBe(isCovered);

    [Theory]
    [InlineData("a", "b", "a b")]
    [InlineData("a", "a", "a")]
    [InlineData("b", "a", "a b")]
    public void A_role_is_marked_beside_others_and_the_time_never_goes_back(string roles, string role, string expected)
    {
        RefusalMarks.Mark(Marks(wholeDevice: false, roles), role.InDefault(), Later).ShouldBe(Marks(wholeDevice: false, expected) with { At = Later });
        RefusalMarks.Mark(Marks(wholeDevice: false, roles) with { At = Later }, role.InDefault(), Start).ShouldBe(Marks(wholeDevice: false, expected) with { At = Later });
        RefusalMarks.Mark(marks: null, role.InDefault(), Start).ShouldBe(Marks(wholeDevice: false, role));
    }

    [Theory]
    [InlineData(63, false)]
    [InlineData(64, true)]
    public void Past_64_roles_the_whole_device_is_marked(int marked, bool isWhole)
    {
        RefusalMarks marks = Marks(wholeDevice: false, "") with { Roles = DefaultAudience.Roles(Enumerable.Range(0, marked).Select(i => $"role{i}")) };

        RefusalMarks next = RefusalMarks.Mark(marks, "one-more".InDefault(), Later);

        next.WholeDevice.ShouldBe(isWhole);
        next.At.ShouldBe(Later);
        next.Roles.Count.ShouldBe(isWhole ? 0 : 64);
        next.Covers("role0").ShouldBeTrue();
    }

    [Theory]
    [InlineData(false, "a", "", "a", null)]
    [InlineData(false, "a b", "", "a", "b|")]
    [InlineData(false, "a", "", "b", "a|")]
    [InlineData(true, "", "", "a", "all|a")]
    [InlineData(true, "a", "", "a", "all|a")]
    [InlineData(true, "a b", "c", "a", "all b|a c")]
    public void An_approval_clears_the_mark_of_its_role(bool wholeDevice, string roles, string cleared, string role, string? expected)
    {
        RefusalMarks? left = RefusalMarks.Clear(Marks(wholeDevice, roles, cleared), role.InDefault());

        (left is null ? null : $"{(left.WholeDevice ? "all " : "")}{left.Roles}".TrimEnd() + $"|{left.Cleared}").ShouldBe(expected);
        RefusalMarks.Clear(marks: null, role.InDefault()).ShouldBeNull();
    }

    [Theory]
    [InlineData(63, true)]
    [InlineData(64, false)]
    public void Of_a_removed_device_64_roles_are_cleared_one_by_one_at_most(int cleared, bool isCleared)
    {
        RefusalMarks marks = Marks(wholeDevice: true, "") with { Cleared = DefaultAudience.Roles(Enumerable.Range(0, cleared).Select(i => $"role{i}")) };

        RefusalMarks.Clear(marks, "one-more".InDefault())!.Covers("one-more").ShouldBe(!isCleared);
    }

    [Fact]
    public void A_request_is_found_by_its_id()
    {
        RequestId id = RequestId.New(Start);

        Record().FindRequest(id).ShouldBeNull();
    }

    private static DeviceRecord Record() => new() { Id = DeviceId.Of([]), PublicKey = "", CreatedAt = Start };

    private static RefusalMarks Marks(bool wholeDevice, string roles, string cleared = "") => new()
    {
        At = Start,
        WholeDevice = wholeDevice,
        Roles = DefaultAudience.Roles(roles.Split(' ', StringSplitOptions.RemoveEmptyEntries)),
        Cleared = DefaultAudience.Roles(cleared.Split(' ', StringSplitOptions.RemoveEmptyEntries)),
    };
}
