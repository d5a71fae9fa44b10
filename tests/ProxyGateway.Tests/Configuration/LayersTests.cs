using Microsoft.Extensions.Configuration;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Configuration;

/// <summary>A stricter overlay is stricter, whatever it overlays.</summary>
public sealed class LayersTests
{
    private const string Wide = """
        { "AllowedOrigins": ["https://a.example", "https://b.example"],
          "Pairing": { "AutoApprove": { "loopback": {
            "From": ["loopback"], "Reasons": ["not-paired", "scope-upgrade", "role-upgrade"], "UpTo": { "operator": ["operator.admin"], "node": [] } } } } }
        """;

    [Fact]
    public void A_list_is_taken_whole_from_the_topmost_layer()
    {
        DeviceAuthOptions options = Configurations.Read(Wide, """
            { "AllowedOrigins": ["https://c.example"], "Pairing": { "AutoApprove": { "loopback": { "Reasons": ["not-paired"] } } } }
            """);

        options.AllowedOrigins.ShouldBe(["https://c.example"]);
        options.Policy.AutoApprove.ShouldHaveSingleItem().Reasons.ShouldBe([PairingReason.NotPaired]);
    }

    [Fact]
    public void An_empty_list_on_top_is_an_empty_list() =>
        Configurations.Read(Wide, """{ "AllowedOrigins": [] }""").AllowedOrigins.ShouldBeEmpty();

    [Fact]
    public void A_ceiling_is_taken_whole_from_the_topmost_layer()
    {
        AutoApproveRule rule = Configurations
            .Read(Wide, """{ "Pairing": { "AutoApprove": { "loopback": { "UpTo": { "operator": ["operator.read"] } } } } }""")
            .Policy.AutoApprove.ShouldHaveSingleItem();

        rule.UpTo.ShouldNotBeNull().Keys.ShouldBe(["operator"]);
        rule.UpTo!["operator"].ShouldBe(["operator.read"]);
        rule.Reasons.Length.ShouldBe(3);
    }

    [Fact]
    public void Rules_merge_by_name_ignoring_case()
    {
        DeviceAuthOptions options = Configurations.Read(
            """{ "Pairing": { "AutoApprove": { "lan": { "From": ["10.0.0.0/8"], "Reasons": ["not-paired"] } } } }""",
            """{ "pairing": { "AUTOAPPROVE": { "LAN": { "browsers": "true" }, "office": { "From": ["192.168.0.0/16"], "Reasons": ["not-paired"] } } } }""");

        options.Policy.AutoApprove.Select(r => (r.Name, r.Browsers)).ShouldBe([("lan", true), ("office", false)], ignoreOrder: true);
    }

    [Fact]
    public void Values_merge_by_key()
    {
        DeviceAuthOptions options = Configurations.Read(
            """{ "MaxHandshakeBytes": 2048, "HandshakeTimeout": "00:00:05" }""", """{ "HandshakeTimeout": "00:00:03" }""");

        options.MaxHandshakeBytes.ShouldBe(2048);
        options.HandshakeTimeout.ShouldBe(TimeSpan.FromSeconds(3));
    }

    [Theory]
    [InlineData("DeviceAuth:AllowedOrigins:0", "https://c.example", new[] { "https://c.example" })]
    [InlineData("DeviceAuth:AllowedOrigins", "", new string[0])]
    public void The_command_line_sets_lists_too(string key, string value, string[] expected)
    {
        IConfigurationRoot configuration = new ConfigurationBuilder()
            .AddConfiguration(Configurations.DeviceAuth(Wide))
            .AddCommandLine([$"--{key}={value}"])
            .Build();

        Configurations.Read(configuration).AllowedOrigins.ShouldBe(expected);
    }

    [Fact]
    public void An_environment_variable_sets_a_list_or_a_rule()
    {
        const string prefix = "PG_LAYERS_TEST_";
        Environment.SetEnvironmentVariable(prefix + "DEVICEAUTH__TRUSTEDPROXIES__0", "10.0.0.1");
        Environment.SetEnvironmentVariable(prefix + "DeviceAuth__Pairing__AutoApprove__LOOPBACK__Enabled", "false");
        try
        {
            DeviceAuthOptions options = Configurations.Read(new ConfigurationBuilder()
                .AddConfiguration(Configurations.DeviceAuth(Wide))
                .AddEnvironmentVariables(prefix)
                .Build());

            options.TrustedProxies.ShouldHaveSingleItem().ToString().ShouldBe("10.0.0.1/32");
            options.Policy.AutoApprove.ShouldBeEmpty();
        }
        finally
        {
            Environment.SetEnvironmentVariable(prefix + "DEVICEAUTH__TRUSTEDPROXIES__0", null);
            Environment.SetEnvironmentVariable(prefix + "DeviceAuth__Pairing__AutoApprove__LOOPBACK__Enabled", null);
        }
    }

    [Fact]
    public void Part_of_a_list_cannot_be_overridden() =>
        Configurations.ErrorsOf(new ConfigurationBuilder()
                .AddConfiguration(Configurations.DeviceAuth(Wide))
                .AddInMemoryCollection([new("DeviceAuth:AllowedOrigins:1", "https://c.example")])
                .Build())
            .ShouldHaveSingleItem().ShouldStartWith("DeviceAuth:AllowedOrigins:1: elements are missing before it");

    [Fact]
    public void Layers_are_distinguished_in_a_configuration_manager_and_in_chains()
    {
        using var manager = new ConfigurationManager();
        manager.AddConfiguration(new ConfigurationBuilder().AddConfiguration(Configurations.DeviceAuth(
            Wide, """{ "AllowedOrigins": ["https://c.example"] }""")).Build());
        Configurations.Read(manager).AllowedOrigins.ShouldBe(["https://c.example"]);

        manager.AddInMemoryCollection([new("DeviceAuth:AllowedOrigins:0", "https://d.example")]);
        Configurations.Read(manager).AllowedOrigins.ShouldBe(["https://d.example"]);
    }

    [Fact]
    public void A_section_of_a_larger_configuration_is_one_layer()
    {
        IConfiguration gateway = Configurations.Json("""{ "Gateway": { "DeviceAuth": { "AllowedOrigins": ["https://a.example"] } } }""").GetSection("Gateway");

        Configurations.Read(gateway).AllowedOrigins.ShouldBe(["https://a.example"]);
        Configurations.Read(new ConfigurationBuilder().AddConfiguration(gateway).Build()).AllowedOrigins.ShouldBe(["https://a.example"]);
    }
}
