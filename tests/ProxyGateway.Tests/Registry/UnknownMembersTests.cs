using System.Text;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Tests.Registry;

/// <summary>A newer gateway writes members that this version does not know. A change by this version must not lose them.</summary>
public sealed class UnknownMembersTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 30, 12, 0, 0, TimeSpan.Zero);
    private static readonly ScopeImplications Implications = ScopeImplications.Default;
    private static readonly DeviceClaim Device = Some.Claim("operator", "operator.read");

    /// <summary>Every change of a record.</summary>
    public static TheoryData<string, Func<DeviceRecord, DeviceRecord>> Changes { get; } = new()
    {
        { "a rule approves more in a role", r => Transitions.AutoApprove(r, Device.Asking("operator", "operator.talk"), "office", Implications, Now, Some.Lifetimes) },
        { "a rule approves a role", r => Transitions.AutoApprove(r, Device.Asking("viewer"), "office", Implications, Now, Some.Lifetimes) },
        { "the device asks", r => Ask(r, Device.Asking("auditor")).Next },
        { "the device asks again", r => Renewed(Ask(r with { Requests = [r.Requests[0] with { ExpiresAt = Now.AddSeconds(1) }] }, Device.Asking("node", "a", "b"))) },
        { "an operator approves", r => Done(Transitions.Approve(r, r.Requests[0].Id, new GrantTerms(), Some.Operator, Implications, Now, Some.Lifetimes)) },
        { "an operator approves a part", r => Done(Transitions.Approve(r, r.Requests[0].Id, new GrantTerms(ScopeSet.Of("a")), Some.Operator, Implications, Now, Some.Lifetimes)) },
        { "an operator rejects", r => Done(Transitions.Reject(r, r.Requests[0].Id, Some.Operator, Now, Some.Lifetimes)) },
        { "an operator narrows a role", r => Done(Transitions.SetGrant(r, "operator".InDefault(), new GrantTerms(ScopeSet.Empty), Some.Operator, Implications, Now, Some.Lifetimes)) },
        { "an operator takes a role", r => Done(Transitions.SetGrant(r, "operator".InDefault(), terms: null, Some.Operator, Implications, Now, Some.Lifetimes)) },
        { "an operator names it", r => Done(Transitions.SetLabel(r, "other", Now, Some.Lifetimes)) },
        { "an operator blocks it for another reason", r => Done(Transitions.Block(r, r.Id, "found", Some.Operator, Now, Some.Lifetimes)) },
        { "an operator lets it in again", r => Done(Transitions.Unblock(r, Some.Operator, Implications, Now, Some.Lifetimes)) },
        { "an operator removes it", r => Transitions.Remove(r, Some.Operator, Now, Some.Lifetimes) },
        { "an operator takes a rule back", r => Done(Transitions.RemoveByRule(r, "loopback", Some.Operator, Now, Some.Lifetimes)) },
        { "a grant ends", r => (r with { Grants = r.Grants.SetItem("operator", r.Grants.Of("operator") with { Until = Now }) }).AsOf(Now) },
        { "a request expires", r => Done(Transitions.SetLabel(r, "other", Now.AddMinutes(6), Some.Lifetimes)) },
        { "so many roles are marked that the device is", r => r with { Refusals = Enumerable.Range(0, 65).Aggregate(r.Refusals, (m, i) => RefusalMarks.Mark(m, $"role-{i}".InDefault(), Now)) } },
        { "the registry goes back behind it", r => new SeenRecord(r, Now, Some.Lifetimes).Removed(r, Now) },
        { "an import adds to it", r => DeviceImport.Apply(r with { Block = null, Refusals = null }, Import("operator", "operator.write"), Some.Operator, Implications, Now).Next! },
        { "it is idle and forgotten", r => Transitions.ForgetIdle(ByRule(r), Now, Now, Some.Lifetimes)! },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void A_change_keeps_unknown_members_at_every_depth(string name, Func<DeviceRecord, DeviceRecord> change)
    {
        DeviceRecord before = NewerGateway.Extend(Full());
        NewerGateway.Extended(before).ShouldBe(NewerGateway.Extended(DeviceDocument.Deserialize(DeviceDocument.Serialize(before), before.Id, before.Version)));
        NewerGateway.Extended(before).Length.ShouldBe(10, "the record, client, block, refusals, three grants, one with parts, and a request with its client");

        string[] lost = NewerGateway.Lost(before, change(before));

        // What the device says about itself is replaced as a whole by what it says now.
        lost.ShouldBe(name.StartsWith("a rule approves", StringComparison.Ordinal) || name == "the device asks" ? ["client"] : [], name);
    }

    [Fact]
    public void Unknown_members_are_written_as_they_were_read()
    {
        DeviceRecord record = Full();
        string document = Encoding.UTF8.GetString(DeviceDocument.Serialize(record));
        string extended = document[..^1] + ",\"later\":{\"n\":1.50,\"big\":123456789012345678901234567890,\"deep\":[[{\"x\":null}]],\"text\":\"\\u00e9\"},\"Block\":true}";

        DeviceRecord read = DeviceDocument.Deserialize(Encoding.UTF8.GetBytes(extended), record.Id, record.Version);

        Encoding.UTF8.GetString(DeviceDocument.Serialize(read)).ShouldEndWith(
            ",\"later\":{\"n\":1.50,\"big\":123456789012345678901234567890,\"deep\":[[{\"x\":null}]],\"text\":\"\\u00E9\"},\"Block\":true}");
    }

    [Fact]
    public void The_memory_of_restrictions_does_not_hold_unknown_members()
    {
        DeviceRecord record = NewerGateway.Extend(Full());

        DeviceRecord kept = new SeenRecord(record, Now, Some.Lifetimes).Latest;

        NewerGateway.Extended(kept).ShouldBe(["block", "refusals"], "a large document must not become large in memory beyond what is counted");
    }

    [Theory]
    [InlineData("1")]
    [InlineData("null", "positive number")]
    [InlineData("\"2\"", "positive number")]
    [InlineData("0", "positive number")]
    [InlineData("-1", "positive number")]
    [InlineData("1.5", "positive number")]
    [InlineData("99999999999", "positive number")]
    public void A_format_is_a_positive_number(string format, string? damage = null)
    {
        DeviceRecord record = Full();
        byte[] document = WithFormat(record, format);

        if (damage is null)
            Encoding.UTF8.GetString(DeviceDocument.Serialize(DeviceDocument.Deserialize(document, record.Id, record.Version))).ShouldEndWith($",\"format\":{format}}}");
        else
            Should.Throw<DamagedDocumentException>(() => DeviceDocument.Deserialize(document, record.Id, record.Version)).Message.ShouldContain(damage);
    }

    [Theory]
    [InlineData("{\"format\":3}")]
    [InlineData("{\"format\":3,\"id\":17}")]
    [InlineData("{\"a\":{\"format\":1},\"format\":3,\"grants\":[]}")]
    [InlineData("{\"format\":3}\nanother line")]
    [InlineData("{\"format\":3,\"requests\":[{\"status\":\"withdrawn\"}]")]
    [InlineData("{\"requests\":[{\"status\":\"withdrawn\"}],\"format\":3}")]
    public void A_greater_format_is_recognised_in_an_unreadable_document(string document)
    {
        NewerDocumentException newer = Should.Throw<NewerDocumentException>(() => DeviceDocument.Deserialize(Encoding.UTF8.GetBytes(document), Device.Device, "v"));

        newer.Document.ShouldBe(new NewerDocument(Device.Device, 3, "v"));
        newer.Message.ShouldContain("Upgrade");
    }

    [Theory]
    [InlineData("{\"id\":17}")]
    [InlineData("{\"a\":{\"format\":2}}")]
    [InlineData("[{\"format\":2}]")]
    [InlineData("{\"id\":17,\"format\":1}")]
    [InlineData("{]\"format\":2}")]
    [InlineData("")]
    public void An_unreadable_document_without_a_greater_format_is_damaged(string document) =>
        Should.Throw<DamagedDocumentException>(() => DeviceDocument.Deserialize(Encoding.UTF8.GetBytes(document), Device.Device, "v"));

    [Fact]
    public void An_audit_entry_keeps_unknown_members()
    {
        const string Document = """{"time":"2026-11-30T12:00:00+00:00","gateway":"g","kind":"grant-changed","role":"operator","client":{"id":"cli","later":1},"tenant":"agent-2"}""";

        Encoding.UTF8.GetString(AuditDocument.Serialize(AuditDocument.Deserialize(Encoding.UTF8.GetBytes(Document), id: 0)))
            .ShouldBe(Document.Replace("+", "\\u002B", StringComparison.Ordinal).Replace("\\u002B", "+", StringComparison.Ordinal));
    }

    [Fact]
    public void An_audit_entry_with_a_value_of_a_newer_gateway_is_read_in_part()
    {
        string document = $$"""{"time":"2026-11-30T12:00:00+00:00","gateway":"g","kind":"device-refused","deviceId":"{{Device.Device}}","operator":"ops","locality":"tailnet","scopes":"all"}""";

        AuditEntry entry = AuditDocument.Deserialize(Encoding.UTF8.GetBytes(document), id: 4711);

        entry.ShouldSatisfyAllConditions(
            e => e.Id.ShouldBe(4711),
            e => e.Time.ShouldBe(Now),
            e => e.Gateway.ShouldBe("g"),
            e => e.Kind.ShouldBe("device-refused"),
            e => e.DeviceId.ShouldBe(Device.Device),
            e => e.Operator.ShouldBe("ops"),
            e => e.Unknown!.Keys.ShouldBe(["locality", "scopes"], ignoreOrder: true));
        Should.Throw<RegistryUnavailableException>(() => AuditDocument.Deserialize("[]"u8, id: 1));
        Should.Throw<RegistryUnavailableException>(() => AuditDocument.Deserialize("{\"kind\":17}"u8, id: 1));
        Should.Throw<RegistryUnavailableException>(() => AuditDocument.Deserialize("{\"kind\":\"\\ud800\",\"locality\":\"x\"}"u8, id: 1));
    }

    // Written by a version from before formats: it drops the format, and the audience of each request, and keeps the rest.
    [Theory]
    [InlineData("")]
    [InlineData("\"format\":1,")]
    public void Audiences_without_their_format_are_damage(string format)
    {
        DeviceRecord record = Some.Paired(Device with { Audience = Audience.Parse("mail") }, Now);
        string document = Encoding.UTF8.GetString(DeviceDocument.Serialize(record));
        string rewritten = document.Replace("\"format\":2,", format, StringComparison.Ordinal);

        Should.Throw<DamagedDocumentException>(() => DeviceDocument.Deserialize(Encoding.UTF8.GetBytes(rewritten), record.Id, record.Version))
            .Message.ShouldContain("names an audience");
        DeviceDocument.Deserialize(Encoding.UTF8.GetBytes(document), record.Id, record.Version).Grants.ShouldContainKey(new GrantKey(Audience.Parse("mail"), "operator"));
    }

    private static byte[] WithFormat(DeviceRecord record, string format) =>
        Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(DeviceDocument.Serialize(record))[..^1] + $",\"format\":{format}}}");

    // A record that has every kind of object.
    private static DeviceRecord Full()
    {
        DeviceRecord record = Some.Paired(Device, Now.AddDays(-1));
        record = Transitions.AutoApprove(record, Device.Asking("operator", "operator.write"), "loopback", Implications, Now.AddDays(-1), Some.Lifetimes);
        record = Transitions.AutoApprove(record, Device.Asking("other", "x"), "loopback", Implications, Now.AddDays(-1), Some.Lifetimes);
        record = Transitions.AutoApprove(record, Device.Asking("third", "y"), "office", Implications, Now.AddDays(-1), Some.Lifetimes);
        record = Ask(record, Device.Asking("node", "a", "b")).Next;
        return record with
        {
            Refusals = new RefusalMarks { At = Now, Roles = DefaultAudience.Roles("admin") },
            Block = new Block { At = Now, By = "ops", Reason = "lost" },
        };
    }

    private static DeviceRecord ByRule(DeviceRecord record) => record with { Block = null, Requests = [], Grants = record.Grants.Remove("operator") };

    private static ImportedDevice Import(string role, params string[] scopes) => new(
        Device.Device, Device.PublicKey, System.Collections.Immutable.ImmutableSortedDictionary<GrantKey, GrantTerms>.Empty.Add(role, new GrantTerms(ScopeSet.Of(scopes))));

    private static Ask Ask(DeviceRecord record, DeviceClaim claim) =>
        Transitions.Ask(record, claim, PairingReason.RoleUpgrade, LocalityKind.Remote, "192.0.2.1", Now, Some.Lifetimes);

    private static DeviceRecord Renewed(Ask ask)
    {
        ask.Outcome.ShouldBe(AskOutcome.Renewed);
        return ask.Next;
    }

    private static DeviceRecord Done(Decision decision)
    {
        decision.Outcome.ShouldBe(DecisionOutcome.Done);
        return decision.Record;
    }
}
