using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.Tests.Registry;

/// <summary>
/// Documents as the serializers of earlier commits wrote them: one commit for each shape that documents have ever had, its short hash in the file's
/// name. A change of the format adds its files; none is ever changed.
/// </summary>
public sealed class CorpusTests
{
    private const string Id = "ae216c2ef5247a3782c135efa279a3e4cdc61094270f5d2be58c6204b7a612c9";
    private const string Key = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA";
    private const string Version = "0123456789abcdef01234567";

    // In the order of history; each added something to the one before.
    private static readonly string[] Commits = ["49bcddd", "4a0480c", "e6a592e", "085156d", "cf4e6dc", "9b5b67c", "9ff6400", "4adcab3"];
    private static readonly DateTimeOffset At = new(2026, 11, 22, 15, 5, 21, 250, TimeSpan.Zero);
    private static readonly DeviceId Device = DeviceId.Parse(Id);
    private static readonly PairingPolicy Policy = PairingPolicy.Default;

    private static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "Registry", "Corpus");

    /// <summary>The files of devices' documents.</summary>
    public static TheoryData<string> Devices { get; } = [.. Files().Where(f => !f.Contains(".audit-", StringComparison.Ordinal))];

    /// <summary>The files of audit entries.</summary>
    public static TheoryData<string> Entries { get; } = [.. Files().Where(f => f.Contains(".audit-", StringComparison.Ordinal))];

    [Fact]
    public void No_document_of_the_corpus_is_missing()
    {
        Files().Select(f => f.Split('.')[0]).Distinct().ShouldBe(Commits, ignoreOrder: true);
        Files().Length.ShouldBe(49);
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void A_stored_device_document_still_has_its_meaning(string file)
    {
        (int commit, string name) = Parse(file);
        byte[] document = File.ReadAllBytes(Path.Combine(Folder, file));

        DeviceRecord record = DeviceDocument.Deserialize(document, Device, Version);

        ShouldMean(record, name, commit);
        ShouldMean(DeviceDocument.Deserialize(DeviceDocument.Serialize(record), Device, Version), name, commit);
        var expected = (JsonObject)JsonNode.Parse(document)!;
        if (commit == 0)
            expected.Remove("lastSeenAt"); // when it was last seen stands beside the document since
        JsonNode.DeepEquals(JsonNode.Parse(DeviceDocument.Serialize(record)), expected).ShouldBeTrue("nothing is lost, added or renamed");
    }

    [Theory]
    [MemberData(nameof(Entries))]
    public void A_stored_audit_entry_still_has_its_meaning(string file)
    {
        (int commit, string name) = Parse(file);
        byte[] document = File.ReadAllBytes(Path.Combine(Folder, file));

        AuditEntry entry = AuditDocument.Deserialize(document, id: 4711);

        ShouldMean(entry, name, commit);
        JsonNode.DeepEquals(JsonNode.Parse(AuditDocument.Serialize(entry with { Id = 0 })), JsonNode.Parse(document)).ShouldBeTrue("nothing is lost, added or renamed");
    }

    private static void ShouldMean(DeviceRecord record, string name, int commit)
    {
        record.CreatedAt.ShouldBe(At);
        record.LastSeenAt.ShouldBeNull("that is kept beside the document");
        switch (name)
        {
            case "paired":
                ShouldBePaired(record, commit);
                break;
            case "removed":
                record.IsPaired.ShouldBeFalse();
                record.Refusals.ShouldBe(new RefusalMarks { At = At.AddMinutes(4), WholeDevice = true, Cleared = DefaultAudience.Roles("node") });
                record.Refusals!.Covers("operator").ShouldBeTrue("no rule pairs it again");
                record.Refusals.Covers("node").ShouldBeFalse();
                Policy.Decide(record, Claim("operator"), new Locality(IsLoopback: true)).ShouldBeOfType<PairingDecision.RequirePairing>();
                break;
            case "legacy":
                record.Legacy.ShouldBeTrue();
                record.Grants.Of("operator").Scopes.ShouldBeNull("none were kept, which is not the same as an approval of none");
                record.Grants.Of("operator").ApprovedBy.ShouldBe("ops");
                Policy.Uncovered(record, Claim("operator", "operator.read")).ShouldBe(PairingReason.ScopeUpgrade);
                (Policy with { LegacyDevices = LegacyDevices.RePair }).Uncovered(record, Claim("operator")).ShouldBe(PairingReason.NotPaired);
                break;
            case "audiences":
                record.Grants.Keys.Names().ShouldBe(["operator", "agent-2/node"]);
                (record.Refusals!.Covers("operator"), record.Refusals!.Covers("operator".In("agent-2"))).ShouldBe((false, true));
                (record.Requests.ShouldHaveSingleItem().Audience.ToString(), record.Requests[0].Role).ShouldBe(("agent-2", "operator"));
                Policy.Uncovered(record, Claim("operator", "operator.read")).ShouldBeNull();
                Policy.Uncovered(record, Claim("operator", "operator.read").In("agent-2")).ShouldBe(PairingReason.RoleUpgrade);
                Policy.Uncovered(record, Claim("operator", "operator.read").In("agent-3")).ShouldBe(PairingReason.NotPaired);
                break;
            default:
                name.ShouldBe("blocked");
                record.Block.ShouldBe(new Block { At = At.AddMinutes(5), By = "ops", Reason = "lost" });
                Policy.Decide(record, Claim("operator", "operator.read"), new Locality(IsLoopback: true)).ShouldBeOfType<PairingDecision.Refuse>();
                break;
        }
    }

    private static void ShouldBePaired(DeviceRecord record, int commit)
    {
        (record.Id, record.PublicKey).ShouldBe((Device, Key));
        record.Client.ShouldBe(new ClientDescription("cli", "Ann's laptop", "linux", "cli"));
        record.Label.ShouldBe(commit >= 2 ? "Ann's" : null);
        record.TakenAt.ShouldBe(commit >= 6 ? At.AddMinutes(4) : null);
        record.Refusals.ShouldBe(new RefusalMarks { At = At.AddMinutes(4), Roles = DefaultAudience.Roles("admin") });
        record.Grants.Keys.Names().ShouldBe(commit >= 3 ? ["node", "operator", "viewer", "writer"] : ["node", "operator"]);
        record.IsByRulesAlone.ShouldBeFalse();

        Grant operators = record.Grants.Of("operator");
        (operators.ApprovedBy, operators.ApprovedAt, operators.RoleRule, operators.Until).ShouldBe(("ops", At.AddMinutes(1), null, null));
        operators.OperatorScopes.ShouldBe(["operator.read", "operator.write"]);
        Policy.Uncovered(record, Claim("operator", "operator.write", "operator.read")).ShouldBeNull();
        Policy.Uncovered(record, Claim("operator", "operator.admin")).ShouldBe(PairingReason.ScopeUpgrade);

        Grant node = record.Grants.Of("node");
        (node.ApprovedBy, node.RoleRule, node.Scopes!.Count).ShouldBe((null, "loopback", 0));
        node.HasPartOf("loopback").ShouldBeTrue();
        node.Until.ShouldBe(commit >= 2 ? At.AddDays(10) : null);
        record.AsOf(At.AddDays(10)).Grants.ContainsKey("node").ShouldBe(commit < 2);

        if (commit >= 3)
            ShouldBeDivided(record.Grants.Of("viewer"), record.Grants.Of("writer"));

        record.Requests.Select(r => (r.Role, r.Status, r.Reason)).ShouldBe(
        [
            ("operator", PairingRequestStatus.Approved, PairingReason.NotPaired),
            ("admin", PairingRequestStatus.Rejected, PairingReason.RoleUpgrade),
            ("operator", PairingRequestStatus.Covered, PairingReason.ScopeUpgrade),
            ("auditor", PairingRequestStatus.Expired, PairingReason.RoleUpgrade),
            ("operator", PairingRequestStatus.Open, PairingReason.ScopeUpgrade),
        ]);
        PairingRequest approved = record.Requests[0];
        (approved.ResolvedBy, approved.ResolvedAt, approved.GrantedScopes!.ToString()).ShouldBe(("ops", At.AddMinutes(1), "operator.read"));
        PairingRequest open = record.Requests[4];
        (open.DeviceId, open.Address, open.Locality, open.ByRulesAlone).ShouldBe((Device, "192.0.2.1", LocalityKind.Remote, commit >= 5));
        open.IsOpen(At.AddMinutes(4)).ShouldBeTrue();
        open.IsOpen(At.AddMinutes(5)).ShouldBeFalse();
        open.Scopes.ShouldBe(["operator.admin"]);
    }

    private static void ShouldBeDivided(Grant viewer, Grant writer)
    {
        viewer.RoleRule.ShouldBeNull("a scope of it is an operator's");
        viewer.OperatorScopes.ShouldBe(["view.all"]);
        viewer.RuleScopes["loopback"].ShouldBe(["view.own"]);
        viewer.Without("office")!.Scopes!.ShouldBe(["view.all", "view.own"]);
        writer.OperatorApproval.ShouldBe((At.AddMinutes(1), "ops"));
        writer.OperatorScopes.ShouldBe(["write.all"]);
        writer.Without("office")!.Scopes!.ShouldBe(["write.all"]);
    }

    private static void ShouldMean(AuditEntry entry, string name, int commit)
    {
        (entry.Id, entry.Time, entry.Gateway).ShouldBe((4711, At, "gate-1"));
        switch (name)
        {
            case "audit-refused":
                (entry.Kind, entry.DeviceId, entry.Role, entry.Reason, entry.CloseCode, entry.Locality).ShouldBe(
                    (AuditKinds.DeviceRefused, Device, "operator", "scope-upgrade", 1008, LocalityKind.Remote));
                entry.MoreScopes.ShouldBe(commit >= 4 ? 3 : 0);
                entry.Client!.DisplayName.ShouldBe("Ann's laptop");
                AuditKinds.SourceOf(entry).ShouldBe(AuditSource.Strangers);
                break;
            case "audit-changed":
                (entry.Kind, entry.Operator, entry.Uncertain, entry.Note).ShouldBe((AuditKinds.GrantChanged, "ops", true, commit >= 2 ? "Ann's" : null));
                entry.Until.ShouldBe(commit >= 2 ? At.AddDays(10) : null);
                AuditKinds.SourceOf(entry).ShouldBe(AuditSource.Operators);
                break;
            case "audit-approved":
                (entry.Kind, entry.Rule, entry.Scopes!.Count).ShouldBe((AuditKinds.DeviceAutoApproved, "loopback", 0));
                break;
            case "audit-audience":
                (entry.Kind, entry.Rule, entry.Audience, entry.Role).ShouldBe((AuditKinds.DeviceAutoApproved, "agents", Audience.Parse("agent-2"), "node"));
                break;
            default:
                name.ShouldBe("audit-left-out");
                (entry.Kind, entry.Count, entry.Locality).ShouldBe((AuditKinds.RefusalsLeftOut, 17, LocalityKind.Network));
                break;
        }
    }

    private static DeviceClaim Claim(string role, params string[] scopes) => new(Device, Key, role, ScopeSet.Of(scopes), new ClientDescription());

    private static (int Commit, string Name) Parse(string file) => file.Split('.') is [var commit, var name, _] ? (Array.IndexOf(Commits, commit), name) : default;

    private static string[] Files() => [.. Directory.EnumerateFiles(Folder).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];
}
