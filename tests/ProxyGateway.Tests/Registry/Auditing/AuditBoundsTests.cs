using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.Tests.Registry.Auditing;

/// <summary>Nobody fills the registry with what they put into entries.</summary>
public sealed class AuditBoundsTests
{
    private static readonly string Long = new('s', ScopeSet.MaxNameLength - 3);

    [Theory]
    [InlineData(AuditKinds.DeviceRefused, 1024)]
    [InlineData(AuditKinds.RequestOpened, 1024)]
    [InlineData("of-a-newer-gateway", 1024)]
    [InlineData(AuditKinds.DeviceAutoApproved, 4096)]
    [InlineData(AuditKinds.GrantChanged, 4096)]
    public void The_largest_possible_entry_is_within_its_bound(string kind, int bytes)
    {
        AuditEntry entry = Largest(kind);

        AuditEntry cut = AuditBounds.Cut(entry);

        AuditDocument.Serialize(entry).Length.ShouldBeGreaterThan(10_000, "else it is no test");
        AuditDocument.Serialize(cut).Length.ShouldBeInRange(bytes / 2, bytes);
        AuditBounds.Cut(entry).ShouldBe(cut);
        AuditBounds.Cut(cut).ShouldBe(cut);
        (cut.Scopes!.Count + cut.MoreScopes).ShouldBe(64);
        cut.Scopes.ShouldBe(entry.Scopes!.Take(cut.Scopes.Count));
        (cut.DeviceId, cut.RequestId, cut.Role, cut.Address, cut.Time).ShouldBe((entry.DeviceId, entry.RequestId, entry.Role, entry.Address, entry.Time));
    }

    [Fact]
    public void An_entry_keeps_eight_scopes_of_a_strangers_request_and_all_of_a_grant()
    {
        ScopeSet scopes = ScopeSet.Of(Enumerable.Range(10, 64).Select(i => $"s{i}"));
        AuditEntry asked = AuditBounds.Cut(new AuditEntry { Kind = AuditKinds.RequestOpened, Scopes = scopes });
        AuditEntry granted = AuditBounds.Cut(new AuditEntry { Kind = AuditKinds.DeviceAutoApproved, Scopes = scopes });

        (asked.Scopes, asked.MoreScopes).ShouldBe((ScopeSet.Of(scopes.Take(8)), 56));
        (granted.Scopes, granted.MoreScopes).ShouldBe((scopes, 0));
    }

    [Fact]
    public void A_usual_entry_is_not_cut()
    {
        DeviceClaim claim = Some.Claim("operator", "operator.read", "operator.write");
        var entry = new AuditEntry
        {
            Kind = AuditKinds.RequestOpened,
            DeviceId = claim.Device,
            Scopes = claim.Scopes,
            Client = new ClientDescription("openclaw-control-ui", "Zoë's phone, the blue one by the window", "linux", "webchat"),
        };

        AuditBounds.Cut(entry).ShouldBeSameAs(entry);
    }

    [Theory]
    [InlineData("")]
    [InlineData("plain")]
    [InlineData("\u0001+<é>\U0001F600\uD83D")]
    public void The_estimated_size_of_a_document_is_never_too_small(string text)
    {
        AuditEntry entry = Largest(AuditKinds.RequestOpened) with
        {
            Gateway = text,
            Operator = text,
            Rule = text,
            Address = text,
            Reason = text,
            Note = text,
            Client = new ClientDescription(text, text, text, text),
            Until = DateTimeOffset.MaxValue,
            CloseCode = int.MaxValue,
            MoreScopes = int.MaxValue,
            Count = int.MaxValue,
            Uncertain = true,
        };
        AuditEntry withoutScopes = entry with { Scopes = null, Role = null };

        AuditBounds.SizeAtMost(entry).ShouldBeGreaterThanOrEqualTo(AuditDocument.Serialize(entry).Length);
        AuditBounds.SizeAtMost(withoutScopes).ShouldBeGreaterThanOrEqualTo(AuditDocument.Serialize(withoutScopes).Length);
    }

    [Fact]
    public void A_cut_text_stays_valid_text()
    {
        string emoji = string.Concat(Enumerable.Repeat("\U0001F600", 50));
        AuditEntry cut = AuditBounds.Cut(new AuditEntry { Kind = AuditKinds.DeviceRefused, Client = new ClientDescription("a" + emoji, emoji, emoji, emoji) });

        cut.Client!.Id.ShouldBe("a" + string.Concat(Enumerable.Repeat("\U0001F600", 11)));
        AuditDocument.Deserialize(AuditDocument.Serialize(cut), id: 0).ShouldBe(cut);
    }

    private static AuditEntry Largest(string kind) => new()
    {
        Time = new DateTimeOffset(2026, 11, 30, 23, 59, 59, TimeSpan.Zero).AddTicks(1234567),
        Gateway = new string('g', 64),
        Kind = kind,
        DeviceId = Some.Claim().Device,
        RequestId = RequestId.New(DateTimeOffset.UtcNow),
        Role = new string('r', ScopeSet.MaxNameLength),
        Scopes = ScopeSet.Of(Enumerable.Range(100, 64).Select(i => $"{i}{Long}")),
        Until = DateTimeOffset.UtcNow,
        Reason = new string('w', 123),
        CloseCode = 1008,
        Address = "2001:db8:1111:2222:3333:4444:5555:6666",
        Locality = LocalityKind.Loopback,
        Client = new ClientDescription(new string('é', 100), new string('é', 100), new string('é', 100), new string('é', 100)),
    };
}
