using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Registry;

public sealed class DeviceSwapTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 22, 10, 0, 0, TimeSpan.Zero);
    private static readonly DeviceRecord Paired = Some.Paired(Some.Claim("operator", "operator.read", "operator.write"), Start);

    public static TheoryData<string, DeviceRecord?, DeviceRecord, bool> Cases => new()
    {
        { "a new device", null, Paired, false },
        { "a new device that comes with a mark", null, Paired with { Refusals = Marks(wholeDevice: true) }, true },
        { "seen", Paired, Paired with { LastSeenAt = Start }, false },
        { "nothing changes", Paired, Paired with { }, true },
        { "a wider grant", Paired, Granting("operator", "operator.admin", "operator.read", "operator.write"), false },
        { "another role", Paired, Paired with { Grants = Paired.Grants.Add("node", Grant()) }, false },
        { "a narrower grant", Paired, Granting("operator", "operator.read"), true },
        { "a grant of others, and more", Paired, Granting("operator", "operator.read", "operator.admin", "operator.pairing"), true },
        { "the same grant again", Paired, Granting("operator", "operator.read", "operator.write"), true },
        { "no grant", Paired, Paired with { Grants = Paired.Grants.Clear() }, true },
        { "a mark", Paired, Paired with { Refusals = Marks(roles: "node") }, true },
        { "another mark in the same moment", Marked(roles: "node"), Marked(roles: ["node", "operator"]), true },
        { "the same mark later", Marked(roles: "node"), Paired with { Refusals = Marks(roles: "node") with { At = Start.AddSeconds(1) } }, true },
        { "a removal in the same moment", Marked(roles: "node"), Marked(wholeDevice: true, roles: "node"), true },
        { "one of two marks cleared", Marked(roles: ["node", "operator"]), Marked(roles: "node") with { LastSeenAt = Start }, false },
        { "all marks cleared", Marked(roles: "node"), Paired with { LastSeenAt = Start }, false },
        { "a role cleared", Marked(wholeDevice: true), Paired with { Refusals = Marks(wholeDevice: true) with { Cleared = DefaultAudience.Roles("node") } }, false },
        { "a role no longer cleared", Paired with { Refusals = Marks(wholeDevice: true) with { Cleared = DefaultAudience.Roles("node") } }, Marked(wholeDevice: true), true },
    };

    [Theory]
    [MemberData(nameof(Cases), DisableDiscoveryEnumeration = true)]
    public void A_swap_knows_whether_it_takes_something_away(string what, DeviceRecord? previous, DeviceRecord next, bool isRestriction) =>
        new DeviceSwap(previous, next, ExpiresAt: null, PendingLimits.None).IsRestriction.ShouldBe(isRestriction, what);

    private static DeviceRecord Granting(string role, params string[] scopes) => Paired with { Grants = Paired.Grants.SetItem(role, Grant(scopes)) };

    private static DeviceRecord Marked(bool wholeDevice = false, params string[] roles) => Paired with { Refusals = Marks(wholeDevice, roles) };

    private static Grant Grant(params string[] scopes) => new() { Scopes = ScopeSet.Of(scopes), ApprovedAt = Start.AddSeconds(1), ApprovedBy = "ops" };

    private static RefusalMarks Marks(bool wholeDevice = false, params string[] roles) => new() { At = Start, WholeDevice = wholeDevice, Roles = DefaultAudience.Roles(roles) };
}
