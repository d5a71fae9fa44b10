using System.Collections.Immutable;
using System.Net;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Configuration;

public sealed class AutoApproveReaderTests
{
    [Fact]
    public void A_section_with_other_rules_has_no_built_in_rule() =>
        Rules("""{ "lan": { "From": ["10.0.0.0/8"], "Reasons": ["not-paired"] } }""").ShouldHaveSingleItem().Name.ShouldBe("lan");

    [Theory]
    [InlineData("""{ "loopback": { "Enabled": false } }""")]
    [InlineData("""{ "LoopBack": { "Enabled": false } }""")]
    [InlineData("{}")]
    public void Without_an_enabled_rule_nothing_is_approved_silently(string json) => Rules(json).ShouldBeEmpty();

    [Fact]
    public void The_loopback_rule_takes_missing_parts_from_the_built_in_one()
    {
        AutoApproveRule strict = Rules("""{ "loopback": { "Reasons": ["not-paired"] } }""").ShouldHaveSingleItem();
        strict.FromLoopback.ShouldBeTrue();
        strict.Reasons.ShouldBe([PairingReason.NotPaired]);

        AutoApproveRule mine = Rules("""{ "loopback": { "Users": ["self"] } }""").ShouldHaveSingleItem();
        mine.FromLoopback.ShouldBeTrue();
        mine.Reasons.ShouldBe([PairingReason.NotPaired, PairingReason.ScopeUpgrade]);

        Rules("""{ "loopback": { "From": ["10.0.0.0/8"] } }""").ShouldHaveSingleItem().FromLoopback.ShouldBeFalse();
    }

    [Fact]
    public void A_rules_bound_of_devices_is_read()
    {
        Rules("""{ "loopback": { "MaxDevicesPerHour": 7 } }""").ShouldHaveSingleItem().MaxDevicesPerHour.ShouldBe(7);
        Rules("""{ "loopback": { "Users": ["self"] } }""").ShouldHaveSingleItem().MaxDevicesPerHour.ShouldBe(1000);
    }

    [Fact]
    public void A_rules_audiences_are_read_and_said_in_the_log()
    {
        DeviceAuthOptions options = Configurations.Read(Pairing("""{ "loopback": { "Audiences": ["b", "a", "b"] } }"""));

        options.Policy.AutoApprove.ShouldHaveSingleItem().Audiences.ShouldBe([Audience.Parse("a"), Audience.Parse("b")]);
        PolicyDescription.Lines(options.Policy)[0].ShouldBe("Rule loopback approves not-paired, scope-upgrade from loopback, in the audiences [a, b].");
        Rules("""{ "loopback": { "MaxDevicesPerHour": 7 } }""").ShouldHaveSingleItem().Audiences.ShouldBeNull();
    }

    [Fact]
    public void Networks_of_a_rule_are_read()
    {
        AutoApproveRule rule = Rules("""{ "r": { "From": ["10.0.0.0/8", "fd00::/8", "any", "loopback"], "Reasons": ["not-paired"] } }""").ShouldHaveSingleItem();

        rule.FromNetworks.ShouldBe([IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("fd00::/8")]);
        rule.FromAny.ShouldBeTrue();
        rule.FromLoopback.ShouldBeTrue();
    }

    [Theory]
    [InlineData("""{ "lan": {} }""", "lan: says nothing")]
    [InlineData("""[{ "From": ["any"], "Reasons": ["not-paired"] }]""", "0: has no proper name")]
    [InlineData("""{ "a rule": { "From": ["any"], "Reasons": ["not-paired"] } }""", "a rule: has no proper name")]
    [InlineData("""{ "loopback": null }""", "loopback: says nothing")]
    [InlineData("""{ "lan": { "Reasons": ["not-paired"] } }""", "lan:From: is missing")]
    [InlineData("""{ "lan": { "From": ["10.0.0.0/8"] } }""", "lan:Reasons: is missing")]
    [InlineData("""{ "lan": { "From": [], "Reasons": ["not-paired"] } }""", "lan:From: is empty")]
    [InlineData("""{ "loopback": { "Reasons": [] } }""", "loopback:Reasons: is empty")]
    [InlineData("""{ "loopback": { "Reasons": "not-paired" } }""", "loopback:Reasons: found \"not-paired\"; allowed: a list.")]
    [InlineData("""{ "loopback": { "Reasons": ["notpaired"] } }""", "loopback:Reasons: found \"notpaired\"; allowed: not-paired, role-upgrade, scope-upgrade.")]
    [InlineData("""{ "loopback": { "From": ["127.0.0.0/8"] } }""", "loopback:From: found \"127.0.0.0/8\"")]
    [InlineData("""{ "loopback": { "From": ["127.1.0.0/16"] } }""", "loopback:From: found")]
    [InlineData("""{ "loopback": { "From": ["::1/128"] } }""", "loopback:From: found")]
    [InlineData("""{ "loopback": { "From": ["::ffff:127.0.0.0/104"] } }""", "loopback:From: found")]
    [InlineData("""{ "loopback": { "From": ["10.1.0.0/8"] } }""", "loopback:From: found")]
    [InlineData("""{ "loopback": { "From": ["Any"] } }""", "loopback:From: found \"Any\"; allowed: loopback, any, and networks")]
    [InlineData("""{ "loopback": { "MaxDevicesPerHour": 0 } }""", "loopback:MaxDevicesPerHour: found \"0\"; allowed: a whole number from 1 to 1000000")]
    [InlineData("""{ "loopback": { "Users": [] } }""", "loopback:Users: is empty")]
    [InlineData("""{ "loopback": { "Users": ["nobody-here"] } }""", "loopback:Users: found \"nobody-here\"; allowed: users of this machine")]
    [InlineData("""{ "loopback": { "Users": [""] } }""", "loopback:Users: found \"\"")]
    [InlineData("""{ "loopback": { "Users": ["-1"] } }""", "loopback:Users: found \"-1\"")]
    [InlineData("""{ "lan": { "From": ["10.0.0.0/8"], "Reasons": ["not-paired"], "Users": ["self"] } }""", "lan:Users: users can be told on loopback only")]
    [InlineData("""{ "r": { "From": ["any"], "Reasons": ["not-paired"], "Users": ["self"] } }""", "r:Users: users can be told on loopback only")]
    [InlineData("""{ "r": { "From": ["loopback", "any"], "Reasons": ["not-paired"], "Users": ["self"] } }""", "r:Users: users can be told on loopback only")]
    [InlineData("""{ "loopback": { "UpTo": {} } }""", "loopback:UpTo: found null or {}; allowed: at least one role")]
    [InlineData("""{ "loopback": { "UpTo": ["operator.read"] } }""", "loopback:UpTo:0: found \"operator.read\"; allowed: a list.")]
    [InlineData("""{ "loopback": { "UpTo": { "a role": [] } } }""", "loopback:UpTo:a role: is no role")]
    [InlineData("""{ "loopback": { "UpTo": { "operator": ["operator.*"] } } }""", "loopback:UpTo:operator: found \"operator.*\"; allowed: scopes")]
    [InlineData("""{ "loopback": { "Audiences": [] } }""", "loopback:Audiences: is empty")]
    [InlineData("""{ "loopback": { "Audiences": "a" } }""", "loopback:Audiences: found \"a\"; allowed: a list.")]
    [InlineData("""{ "loopback": { "Audiences": ["A"] } }""", "loopback:Audiences: found \"A\"; allowed: audiences, each 1 to 64")]
    [InlineData("""{ "loopback": { "Enabled": "no" } }""", "loopback:Enabled: found \"no\"; allowed: true, false.")]
    [InlineData("""{ "off": { "Enabled": false, "From": ["here"], "Reasons": ["not-paired"] } }""", "off:From: found \"here\"")]
    public void An_invalid_rule_is_an_error(string json, string error) =>
        Configurations.ErrorsOf(Pairing(json)).ShouldHaveSingleItem().ShouldStartWith("DeviceAuth:Pairing:AutoApprove:" + error);

    private static ImmutableArray<AutoApproveRule> Rules(string json) => Configurations.Read(Pairing(json)).Policy.AutoApprove;

    private static string Pairing(string json) => $$"""{ "Pairing": { "AutoApprove": {{json}} } }""";
}
