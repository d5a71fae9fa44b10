using System.Collections.Immutable;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

/// <summary>An import approves within the operator's ceiling, never against an operator's no, and takes nothing away.</summary>
public sealed class DeviceImportTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);

    private readonly DeviceClaim _claim = Some.Claim("operator", "operator.read");

    [Fact]
    public void A_new_device_has_the_imported_grants_and_the_operator_as_approver()
    {
        (ImportOutcome outcome, DeviceRecord? next) = Import(record: null, Device(("operator", "operator.read"), ("node", "")) with { Label = "Phone" });

        outcome.ShouldBe(ImportOutcome.Added);
        next!.Grants.Keys.Names().ShouldBe(["node", "operator"]);
        next.Grants.Of("operator").ShouldBe(new Grant { Scopes = ScopeSet.Of("operator.read"), ApprovedAt = Start, ApprovedBy = "ops" });
        (next.PublicKey, next.Label, next.CreatedAt).ShouldBe((_claim.PublicKey, "Phone", Start));
    }

    [Fact]
    public void An_import_neither_narrows_nor_prolongs_existing_grants()
    {
        DeviceRecord held = Some.Paired(_claim.Asking("operator", "operator.write"), Start);
        held = held with { Grants = held.Grants.SetItem("operator", held.Grants.Of("operator") with { Until = Start.AddDays(1) }) };

        Import(held, Device(("operator", "operator.read"))).Outcome.ShouldBe(ImportOutcome.Unchanged, "writing covers reading");
        (ImportOutcome outcome, DeviceRecord? next) = Import(held, Device(("operator", "operator.admin")));

        outcome.ShouldBe(ImportOutcome.Extended);
        next!.ScopesOf("operator").ShouldBe(ScopeSet.Of("operator.admin", "operator.write"));
        next!.Grants.Of("operator").Until.ShouldBe(Start.AddDays(1));
    }

    // Else it would stay in the operators' list until something else happens to the device.
    [Fact]
    public void A_request_that_the_imported_grants_cover_is_resolved()
    {
        DeviceRecord Ask(DeviceRecord? record, DeviceClaim claim) =>
            Transitions.Ask(record, claim, PairingReason.NotPaired, LocalityKind.Remote, address: null, Start, Some.Lifetimes).Next;
        DeviceRecord asked = Ask(Ask(record: null, _claim), _claim.Asking("node"));

        DeviceRecord next = Import(asked, Device(("operator", "operator.write"))).Next!;

        next.Requests.Select(r => (r.Role, r.Status)).ShouldBe([("operator", PairingRequestStatus.Covered), ("node", PairingRequestStatus.Open)]);
    }

    [Fact]
    public void Missing_scopes_are_not_empty_scopes()
    {
        DeviceRecord legacy = Import(record: null, Device(("operator", null))).Next!;
        legacy.Grants.Of("operator").Scopes.ShouldBeNull();
        PairingPolicy.Default.Uncovered(legacy, _claim).ShouldBe(PairingReason.ScopeUpgrade);
        (PairingPolicy.Default with { LegacyDevices = LegacyDevices.RePair }).Uncovered(legacy, _claim).ShouldBe(PairingReason.NotPaired);

        Import(Some.Paired(_claim, Start), Device(("operator", null))).Outcome.ShouldBe(ImportOutcome.Unchanged, "more is known here");
        Import(legacy, Device(("operator", "operator.read"))).Next!.ScopesOf("operator").ShouldBe(ScopeSet.Of("operator.read"));
    }

    [Fact]
    public void A_device_without_a_recorded_role_gets_no_role()
    {
        DeviceRecord legacy = Import(record: null, Device() with { Legacy = true }).Next!;

        legacy.IsPaired.ShouldBeTrue();
        PairingPolicy.Default.Uncovered(legacy, _claim).ShouldBe(PairingReason.RoleUpgrade);
        Import(Some.Paired(_claim, Start), Device() with { Legacy = true }).Outcome.ShouldBe(ImportOutcome.Unchanged);
    }

    [Fact]
    public void An_import_does_not_override_an_operators_refusal()
    {
        DeviceRecord removed = Transitions.Remove(Some.Paired(_claim, Start), Some.Operator, Start, Some.Lifetimes);
        DeviceRecord rejected = Some.Paired(_claim, Start) with { Refusals = new RefusalMarks { At = Start, Roles = DefaultAudience.Roles("node") } };
        DeviceRecord blocked = Some.Paired(_claim, Start) with { Block = new Block { At = Start, By = "ops" } };

        Import(removed, Device(("operator", "operator.read"))).ShouldBe((ImportOutcome.RefusedBefore, null));
        Import(removed, Device() with { Legacy = true }).ShouldBe((ImportOutcome.RefusedBefore, null));
        Import(rejected, Device(("node", ""), ("operator", "operator.admin"))).ShouldBe((ImportOutcome.RefusedBefore, null));
        Import(rejected, Device(("operator", "operator.admin"))).Outcome.ShouldBe(ImportOutcome.Extended);
        Import(blocked, Device(("operator", "operator.admin"))).ShouldBe((ImportOutcome.Blocked, null));
    }

    [Fact]
    public void A_device_above_the_operators_ceiling_is_not_imported_at_all()
    {
        var by = new Operator("lim", ImmutableDictionary<string, ScopeSet>.Empty.Add("operator", ScopeSet.Of("operator.write")));

        Import(record: null, Device(("operator", "operator.read")), by).Outcome.ShouldBe(ImportOutcome.Added);
        Import(record: null, Device(("operator", "operator.read"), ("node", "")), by).ShouldBe((ImportOutcome.AboveCeiling, null));
        Import(record: null, Device(("operator", "operator.admin")), by).ShouldBe((ImportOutcome.AboveCeiling, null));
        Import(record: null, Device() with { Legacy = true }, by).ShouldBe((ImportOutcome.AboveCeiling, null));
    }

    [Fact]
    public void An_ended_grant_is_not_imported()
    {
        ImportedDevice device = Device(("operator", "operator.read"));

        Import(record: null, device with { Grants = device.Grants.SetItem("operator", new GrantTerms(_claim.Scopes, Start)) })
            .ShouldBe((ImportOutcome.UntilIsPast, null));
    }

    private static (ImportOutcome Outcome, DeviceRecord? Next) Import(DeviceRecord? record, ImportedDevice device, Operator? by = null) =>
        DeviceImport.Apply(record, device, by ?? Some.Operator, ScopeImplications.Default, Start);

    private ImportedDevice Device(params (string Role, string? Scopes)[] grants) => new(
        _claim.Device,
        _claim.PublicKey,
        grants.ToImmutableSortedDictionary(
            g => g.Role.InDefault(),
            g => new GrantTerms(g.Scopes is null ? null : ScopeSet.Of(g.Scopes.Split(' ', StringSplitOptions.RemoveEmptyEntries)))));
}
