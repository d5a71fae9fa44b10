using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Configuration;

public sealed class DevicelessReaderTests
{
    private const string Token = "\"SharedToken\": { \"Sha256\": \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\" }";

    [Fact]
    public void Without_the_section_there_is_no_rule() => Configurations.Read("{}").Policy.Deviceless.ShouldBeNull();

    [Fact]
    public void Its_users_and_what_they_get_are_read()
    {
        DevicelessRule rule = Read("""{ "Users": ["self", "agent", "7"], "UpTo": { "operator": ["operator.write"] } }""").Policy.Deviceless.ShouldNotBeNull();

        rule.Users.ShouldBe([Configurations.Self, 2000u, 7u]);
        rule.UpTo.ShouldHaveSingleItem().Value.ShouldBe(["operator.write"]);
        rule.Audiences.ShouldBe([Audience.Default], "a new agent must not admit clients without a device unless it is named");
        Read("""{ "Users": ["self"], "UpTo": { "operator": [] }, "Audiences": ["agent-2", "default"] }""").Policy.Deviceless!.Audiences
            .ShouldBe([Audience.Default, Audience.Parse("agent-2")]);
    }

    [Fact]
    public void An_overlay_can_switch_it_off() => Configurations.Read(
        $$"""{ {{Token}}, "Pairing": { "Deviceless": { "Users": ["self"], "UpTo": { "operator": ["operator.write"] } } } }""",
        """{ "Pairing": { "Deviceless": { "Enabled": false } } }""").Policy.Deviceless.ShouldBeNull();

    [Theory]
    [InlineData("{}", "Users: is missing")]
    [InlineData("{}", "UpTo: is missing")]
    [InlineData("null", "Users: is missing")]
    [InlineData("""{ "UpTo": { "operator": [] } }""", "Users: is missing")]
    [InlineData("""{ "Users": ["self"] }""", "UpTo: is missing")]
    [InlineData("""{ "Users": [], "UpTo": { "operator": [] } }""", "Users: is empty")]
    [InlineData("""{ "Users": ["nobody-here"], "UpTo": { "operator": [] } }""", "Users: found \"nobody-here\"")]
    [InlineData("""{ "Users": ["self"], "UpTo": { "operator": [] }, "Audiences": [] }""", "Audiences: is empty")]
    [InlineData("""{ "Users": ["self"], "UpTo": { "operator": [] }, "Audiences": ["*"] }""", "Audiences: found \"*\"")]
    [InlineData("""{ "Users": ["self"], "UpTo": {} }""", "UpTo: found null or {}")]
    [InlineData("""{ "Users": ["self"], "UpTo": { "operator": ["operator.*"] } }""", "UpTo:operator: found \"operator.*\"")]
    [InlineData("""{ "Users": ["self"], "UpTo": { "operator": [] }, "From": ["any"] }""", "From: unknown key")]
    public void What_is_wrong_is_named(string json, string error) => Configurations.ErrorsOf($$"""{ {{Token}}, "Pairing": { "Deviceless": {{json}} } }""")
        .ShouldContain(e => e.StartsWith("DeviceAuth:Pairing:Deviceless:" + error, StringComparison.Ordinal));

    [Fact]
    public void Without_a_shared_token_it_is_refused() =>
        Configurations.ErrorsOf("""{ "Pairing": { "Deviceless": { "Users": ["self"], "UpTo": { "operator": [] } } } }""")
            .ShouldHaveSingleItem().ShouldStartWith("DeviceAuth:Pairing:Deviceless: needs DeviceAuth:SharedToken:Sha256");

    [Fact]
    public void The_log_says_at_start_what_the_rule_opens() =>
        PolicyDescription.Lines(Read("""{ "Users": ["self"], "UpTo": { "operator": ["operator.write"] } }""").Policy).ShouldContain(
            $"Clients without a device on loopback, of users with the ids [{Configurations.Self}], that show the shared token, are admitted up to operator [operator.write].");

    [Fact]
    public void The_log_says_in_which_audiences_unless_there_is_one() =>
        PolicyDescription.Lines(Read("""{ "Users": ["7"], "UpTo": { "operator": [] }, "Audiences": ["agent-2"] }""").Policy)
            .ShouldContain(line => line.EndsWith("are admitted up to operator [], in the audiences [agent-2].", StringComparison.Ordinal));

    private static DeviceAuth.DeviceAuthOptions Read(string json) => Configurations.Read($$"""{ {{Token}}, "Pairing": { "Deviceless": {{json}} } }""");
}
