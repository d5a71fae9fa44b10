using System.Collections.Immutable;
using System.Net;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Pairing;

/// <summary>The rule for clients without a device: every part is needed, and each by itself keeps a client out.</summary>
public sealed class DevicelessRuleTests
{
    private static readonly DevicelessRule Rule = new()
    {
        Users = [1000, 2000],
        UpTo = ImmutableDictionary<string, ScopeSet>.Empty.Add("operator", ScopeSet.Of("operator.write")).Add("node", ScopeSet.Empty),
    };

    private static readonly DevicelessAsk Ask = new(
        Audience.Default, "operator", ScopeSet.Of("operator.write"), new ClientDescription(), ShowsSharedToken: true, ActsForAnother: false);

    private static readonly Locality Here = new(IsLoopback: true, Peer: PeerUser.Known(1000));

    public static TheoryData<string, int> Cases
    {
        get
        {
            var cases = new TheoryData<string, int>();
            foreach ((string name, (_, _, DevicelessObjection expected)) in Table)
                cases.Add(name, (int)expected);
            return cases;
        }
    }

    private static ImmutableDictionary<string, (DevicelessAsk Ask, Locality Locality, DevicelessObjection Expected)> Table { get; } =
        new Dictionary<string, (DevicelessAsk, Locality, DevicelessObjection)>
        {
            ["all of it holds"] = (Ask, Here, DevicelessObjection.None),
            ["another of the users"] = (Ask, Here with { Peer = PeerUser.Known(2000) }, DevicelessObjection.None),
            ["a scope that is implied"] = (Ask with { Scopes = ScopeSet.Of("operator.read") }, Here, DevicelessObjection.None),
            ["no scopes"] = (Ask with { Scopes = ScopeSet.Empty }, Here, DevicelessObjection.None),
            ["a role without scopes"] = (Ask with { Role = "node", Scopes = ScopeSet.Empty }, Here, DevicelessObjection.None),
            ["not from loopback"] = (Ask, Here with { IsLoopback = false, Address = IPAddress.Parse("10.0.0.1") }, DevicelessObjection.NotLoopback),
            ["a browser"] = (Ask, Here with { IsBrowser = true }, DevicelessObjection.Browser),
            ["its user was not looked up"] = (Ask, Here with { Peer = default }, DevicelessObjection.UnknownUser),
            ["its user cannot be told"] = (Ask, Here with { Peer = PeerUser.Unknown }, DevicelessObjection.UnknownUser),
            ["root, who is not named"] = (Ask, Here with { Peer = PeerUser.Known(0) }, DevicelessObjection.OtherUser),
            ["no shared token"] = (Ask with { ShowsSharedToken = false }, Here, DevicelessObjection.SharedToken),
            ["for a profile"] = (Ask with { ActsForAnother = true }, Here, DevicelessObjection.ActsForAnother),
            ["another audience"] = (Ask with { Audience = Audience.Parse("agent-2") }, Here, DevicelessObjection.Audience),
            ["a role that is not named"] = (Ask with { Role = "admin" }, Here, DevicelessObjection.Role),
            ["a role in another case"] = (Ask with { Role = "Operator" }, Here, DevicelessObjection.Role),
            ["a wider scope"] = (Ask with { Scopes = ScopeSet.Of("operator.admin") }, Here, DevicelessObjection.Scopes),
            ["one scope too many"] = (Ask with { Scopes = ScopeSet.Of("operator.read", "operator.pairing") }, Here, DevicelessObjection.Scopes),
            ["a scope of another role"] = (Ask with { Role = "node" }, Here, DevicelessObjection.Scopes),
        }.ToImmutableDictionary();

    [Theory]
    [MemberData(nameof(Cases))]
    public void Each_part_is_needed(string name, int expected)
    {
        (DevicelessAsk ask, Locality locality, _) = Table[name];

        ((int)Rule.Object(ask, locality, ScopeImplications.Default)).ShouldBe(expected, name);
    }

    [Fact]
    public void Every_objection_has_words()
    {
        foreach (DevicelessObjection objection in Enum.GetValues<DevicelessObjection>().Where(o => o != DevicelessObjection.None))
            objection.InWords().ShouldNotBeEmpty();
    }
}
