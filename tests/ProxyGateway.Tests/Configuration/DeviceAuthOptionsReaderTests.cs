using System.Net;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Configuration;

public sealed class DeviceAuthOptionsReaderTests
{
    [Theory]
    [InlineData("{}")]
    [InlineData("""{ "DeviceAuth": {} }""")]
    [InlineData("""{ "DeviceAuth": { "Limits": {}, "Pairing": {} } }""")]
    public void Without_configuration_the_options_are_the_defaults(string json)
    {
        DeviceAuthOptions options = Configurations.Read(Configurations.Json(json));
        var defaults = new DeviceAuthOptions();

        options.Policy.AutoApprove.ShouldBe(PairingPolicy.Default.AutoApprove);
        (options with { Policy = defaults.Policy, TrustedProxies = defaults.TrustedProxies, AllowedOrigins = defaults.AllowedOrigins, PublicOrigins = defaults.PublicOrigins, RequestHeaders = defaults.RequestHeaders }).ShouldBe(defaults);
        options.RequestHeaders.ShouldBe(["Authorization", "Cookie"]);
    }

    /// <summary>An operator who configures a token wants it asked for: a malformed one must not mean that no client is asked.</summary>
    [Theory]
    [InlineData("""{ "SharedToken": {} }""", "is missing")]
    [InlineData("""{ "SharedToken": { "Sha265": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" } }""", "is missing")]
    [InlineData("""{ "SharedToken": { "Sha256": "" } }""", "is no SHA-256")]
    [InlineData("""{ "SharedToken": { "Sha256": "the token itself" } }""", "is no SHA-256")]
    [InlineData("""{ "SharedToken": { "Sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" } }""", "is that of an empty text")]
    [InlineData("""{ "SharedToken": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }""", "is one value")]
    public void An_invalid_shared_token_is_an_error_and_not_quoted(string json, string error)
    {
        var errors = new ConfigurationErrors();

        Configurations.Read(Configurations.DeviceAuth(json), errors);

        errors.All.ShouldContain(e => e.StartsWith("DeviceAuth:SharedToken", StringComparison.Ordinal) && e.Contains(error, StringComparison.Ordinal));
        errors.All.ShouldAllBe(e => !e.Contains("the token itself", StringComparison.Ordinal) && !e.Contains("9f86d0", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{ "agent": { "OpenClaw": {} } }""", ":TokenFile: is missing")]
    [InlineData("""{ "agent": { "OpenClaw": { "Tokenfile2": "x" } } }""", ":Tokenfile2: unknown key; allowed here: Token, TokenFile.")]
    [InlineData("""{ "agent": { "OpenClaw": { "Token": "SECRET", "TokenFile": "data/token" } } }""", ":Token: is given beside TokenFile; allowed: one of them.")]
    [InlineData("""{ "agent": { "OpenClaw": { "Token": "SECRET with blanks" } } }""", ":Token: is no token; allowed: 1 to 4096 visible ASCII characters.")]
    [InlineData("""{ "agent": { "OpenClaw": { "Token": "" } } }""", ":Token: is no token")]
    [InlineData("""{ "agent": { "OpenClaw": { "TokenFile": " " } } }""", ":TokenFile: is blank")]
    [InlineData("""{ "agent": { "OpenClaw": "SECRET" } }""", ": is one value")]
    [InlineData("""{ "agent": { "OpenClaw": { "Token": { "a": "SECRET" } } } }""", ":Token: found keys beneath it")]
    public void A_backends_token_that_is_none_is_an_error_and_not_repeated(string json, string error)
    {
        var errors = new ConfigurationErrors();

        Configurations.Read(Configurations.DeviceAuth($$"""{ "Backends": {{json}} }"""), errors);

        errors.All.ShouldContain(e => e.StartsWith("DeviceAuth:Backends:agent:OpenClaw" + error, StringComparison.Ordinal));
        errors.All.ShouldAllBe(e => !e.Contains("SECRET", StringComparison.Ordinal));
    }

    [Fact]
    public void A_backends_token_is_in_no_text_of_its_options()
    {
        DeviceAuthOptions options = Configurations.Read("""{ "Backends": { "Agent": { "OpenClaw": { "Token": "SECRET" } }, "other": { "OpenClaw": { "TokenFile": "data/token" } } } }""");

        options.OpenClawBackends["agent"].Token.ShouldBe("SECRET");
        options.OpenClawBackends["agent"].ToString().ShouldBe("OpenClawBackendOptions { Token }");
        options.OpenClawBackends["other"].ToString().ShouldBe("OpenClawBackendOptions { TokenFile = data/token }");
        options.ToString().ShouldNotContain("SECRET");
    }

    [Fact]
    public void Every_key_is_read()
    {
        DeviceAuthOptions options = Configurations.Read("""
            { "Handshake": "ConnectFrame", "HandshakeTimeout": "00:00:11", "MaxHandshakeBytes": 1024, "SignatureSkew": "00:01:00", "HttpRequests": "allow",
              "TrustedProxies": ["10.0.0.1", "192.168.0.0/16", "::ffff:172.16.0.0/108", "fd00::/8"],
              "PublicOrigins": ["https://Gate.example:443", "http://10.0.0.1:8080"],
              "AllowedOrigins": ["https://Example.org:443", "http://localhost:3000", "http://[::1]:8080"],
              "RequestHeaders": ["X-Api-Key", "x-api-key", "Cookie"],
              "Limits": { "HandshakesPerAddress": 1, "HandshakesPerDestination": 2, "Handshakes": 3, "SessionsPerDevice": 4, "PendingRequestsPerAddress": 5,
                "HandshakesPerSecondPerAddress": 6, "FailuresPerAddress": 7, "Connections": 9, "ConnectionsPerAddress": 8 },
              "SharedToken": { "Sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }, "DrainTime": "00:01:00",
              "ScopeImplications": { "operator": { "operator.admin": [], "operator.owner": ["operator.*"] }, "node": { "all": ["camera"] } },
              "Pairing": { "RequestLifetime": "00:06:00", "MaxPendingRequests": 7, "LegacyDevices": "RePair", "ForgetRemovedAfter": "8.00:00:00",
                "AutoApprove": { "mine": { "Enabled": true, "From": ["loopback"], "Reasons": ["role-upgrade"], "Users": ["self", "agent", "7"], "UpTo": { "operator": ["operator.write"], "node": [] }, "Browsers": true } } } }
            """);

        options.HandshakeTimeout.ShouldBe(TimeSpan.FromSeconds(11));
        options.MaxHandshakeBytes.ShouldBe(1024);
        options.SignatureSkew.ShouldBe(TimeSpan.FromMinutes(1));
        options.HttpRequests.ShouldBe(HttpRequests.Allow);
        options.TrustedProxies.ShouldBe(
            [IPNetwork.Parse("10.0.0.1/32"), IPNetwork.Parse("192.168.0.0/16"), IPNetwork.Parse("172.16.0.0/12"), IPNetwork.Parse("fd00::/8")]);
        options.PublicOrigins.ShouldBe(["https://gate.example", "http://10.0.0.1:8080"]);
        options.AllowedOrigins.ShouldBe(["https://example.org", "http://localhost:3000", "http://[::1]:8080"]);
        options.RequestHeaders.ShouldBe(["X-Api-Key", "Cookie"]);
        options.Limits.ShouldBe(new DeviceAuthLimits
        {
            HandshakesPerAddress = 1,
            HandshakesPerDestination = 2,
            Handshakes = 3,
            SessionsPerDevice = 4,
            PendingRequestsPerAddress = 5,
            HandshakesPerSecondPerAddress = 6,
            FailuresPerAddress = 7,
            Connections = 9,
            ConnectionsPerAddress = 8,
        });
        Convert.ToHexStringLower(options.SharedTokenSha256.AsSpan()).ShouldBe("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08");
        options.DrainTime.ShouldBe(TimeSpan.FromMinutes(1));
        options.RequestLifetime.ShouldBe(TimeSpan.FromMinutes(6));
        options.MaxPendingRequests.ShouldBe(7);
        options.ForgetRemovedAfter.ShouldBe(TimeSpan.FromDays(8));
        options.Policy.LegacyDevices.ShouldBe(LegacyDevices.RePair);

        AutoApproveRule rule = options.Policy.AutoApprove.ShouldHaveSingleItem();
        rule.Name.ShouldBe("mine");
        rule.FromLoopback.ShouldBeTrue();
        rule.FromAny.ShouldBeFalse();
        rule.Reasons.ShouldBe([PairingReason.RoleUpgrade]);
        rule.Users.ShouldNotBeNull().ShouldBe([Configurations.Self, 2000u, 7u]);
        rule.UpTo.ShouldNotBeNull()["node"].ShouldBeEmpty();
        rule.Browsers.ShouldBeTrue();
    }

    [Fact]
    public void Implications_replace_the_built_in_ones_scope_by_scope()
    {
        ScopeImplications implications = Configurations.Read("""
            { "ScopeImplications": { "operator": { "operator.admin": [], "operator.owner": ["operator.*"] }, "node": { "all": ["camera"] } } }
            """).Policy.Implications;

        Covers("operator", "operator.admin", "operator.read").ShouldBeFalse();
        Covers("operator", "operator.owner", "operator.anything").ShouldBeTrue();
        Covers("operator", "operator.write", "operator.read").ShouldBeTrue();
        Covers("node", "all", "camera").ShouldBeTrue();

        bool Covers(string role, string granted, string asked) => implications.Covers(role, ScopeSet.Of(granted), ScopeSet.Of(asked));
    }

    [Theory]
    [InlineData("""{ "HandshakeTimeout": "00:00:00" }""", "DeviceAuth:HandshakeTimeout: found \"00:00:00\"; allowed: a time span")]
    [InlineData("""{ "HandshakeTimeout": 10 }""", "DeviceAuth:HandshakeTimeout: found \"10\"")]
    [InlineData("""{ "HandshakeTimeout": "24:00:00" }""", "DeviceAuth:HandshakeTimeout: found")]
    [InlineData("""{ "HandshakeTimeout": null }""", "DeviceAuth:HandshakeTimeout: found null or {}")]
    [InlineData("""{ "HandshakeTimeout": { "Seconds": 1 } }""", "DeviceAuth:HandshakeTimeout: found keys beneath it")]
    [InlineData("""{ "SignatureSkew": "-00:00:01" }""", "DeviceAuth:SignatureSkew: found")]
    [InlineData("""{ "MaxHandshakeBytes": 1023 }""", "DeviceAuth:MaxHandshakeBytes: found \"1023\"; allowed: a whole number from 1024 to 16777216.")]
    [InlineData("""{ "MaxHandshakeBytes": 16777217 }""", "DeviceAuth:MaxHandshakeBytes: found")]
    [InlineData("""{ "MaxHandshakeBytes": "64K" }""", "DeviceAuth:MaxHandshakeBytes: found")]
    [InlineData("""{ "Handshake": "Off" }""", "DeviceAuth:Handshake: found \"Off\"; allowed: ConnectFrame, Proof.")]
    [InlineData("""{ "HttpRequests": "0" }""", "DeviceAuth:HttpRequests: found \"0\"; allowed: Deny, Allow.")]
    [InlineData("""{ "Limits": { "Handshakes": 0 } }""", "DeviceAuth:Limits:Handshakes: found \"0\"")]
    [InlineData("""{ "Limits": { "Connections": 0 } }""", "DeviceAuth:Limits:Connections: found \"0\"; allowed: a whole number from 1 to 1000000.")]
    [InlineData("""{ "Limits": { "ConnectionsPerAddress": "all" } }""", "DeviceAuth:Limits:ConnectionsPerAddress: found \"all\"; allowed: a whole number")]
    [InlineData("""{ "Limits": 5 }""", "DeviceAuth:Limits: is one value; allowed: a section")]
    [InlineData("""{ "TrustedProxies": ["10.0.0.1/8"] }""", "DeviceAuth:TrustedProxies: found \"10.0.0.1/8\"")]
    [InlineData("""{ "TrustedProxies": ["10/8"] }""", "DeviceAuth:TrustedProxies: found")]
    [InlineData("""{ "TrustedProxies": ["010.0.0.1"] }""", "DeviceAuth:TrustedProxies: found")]
    [InlineData("""{ "TrustedProxies": ["10.0.0.0/33"] }""", "DeviceAuth:TrustedProxies: found")]
    [InlineData("""{ "TrustedProxies": ["proxy.local"] }""", "DeviceAuth:TrustedProxies: found")]
    [InlineData("""{ "TrustedProxies": "10.0.0.1" }""", "DeviceAuth:TrustedProxies: found \"10.0.0.1\"; allowed: a list.")]
    [InlineData("""{ "TrustedProxies": null }""", "DeviceAuth:TrustedProxies: found null or {}; allowed: a list.")]
    [InlineData("""{ "TrustedProxies": [null] }""", "DeviceAuth:TrustedProxies:0: is no text")]
    [InlineData("""{ "TrustedProxies": { "a": "10.0.0.1" } }""", "DeviceAuth:TrustedProxies:a: is no element of a list")]
    [InlineData("""{ "RequestHeaders": ["Sec-Websocket-Extensions"] }""", "DeviceAuth:RequestHeaders: found \"Sec-Websocket-Extensions\"; allowed: any header but this: compressed frames cannot be checked")]
    [InlineData("""{ "RequestHeaders": ["X-*"] }""", "DeviceAuth:RequestHeaders: found \"X-*\"; allowed: names of headers")]
    [InlineData("""{ "RequestHeaders": [""] }""", "DeviceAuth:RequestHeaders: found")]
    [InlineData("""{ "RequestHeaders": ["X-A: 1"] }""", "DeviceAuth:RequestHeaders: found")]
    [InlineData("""{ "RequestHeaders": "Cookie" }""", "DeviceAuth:RequestHeaders")]
    [InlineData("""{ "AllowedOrigins": ["*"] }""", "DeviceAuth:AllowedOrigins: found \"*\"")]
    [InlineData("""{ "PublicOrigins": ["*"] }""", "DeviceAuth:PublicOrigins: found \"*\"")]
    [InlineData("""{ "PublicOrigins": ["https://gate.example/agent"] }""", "DeviceAuth:PublicOrigins: found")]
    [InlineData("""{ "PublicOrigins": ["wss://gate.example"] }""", "DeviceAuth:PublicOrigins: found \"wss://gate.example\"; allowed: origins of http and https")]
    [InlineData("""{ "AllowedOrigins": ["null"] }""", "DeviceAuth:AllowedOrigins: found \"null\"")]
    [InlineData("""{ "AllowedOrigins": ["https://*.example.org"] }""", "DeviceAuth:AllowedOrigins: found")]
    [InlineData("""{ "AllowedOrigins": ["https://example.org/"] }""", "DeviceAuth:AllowedOrigins: found")]
    [InlineData("""{ "AllowedOrigins": ["https://me@example.org"] }""", "DeviceAuth:AllowedOrigins: found")]
    [InlineData("""{ "AllowedOrigins": ["https://example.org?"] }""", "DeviceAuth:AllowedOrigins: found")]
    [InlineData("""{ "AllowedOrigins": ["example.org"] }""", "DeviceAuth:AllowedOrigins: found")]
    [InlineData("""{ "AllowedOrigins": [""] }""", "DeviceAuth:AllowedOrigins: found")]
    [InlineData("""{ "AllowedOrigins": ["file:///"] }""", "DeviceAuth:AllowedOrigins: found")]
    [InlineData("""{ "ScopeImplications": { "Operator": { "operator.admin": [] } } }""", "DeviceAuth:ScopeImplications:Operator: differs in case only from the role operator")]
    [InlineData("""{ "ScopeImplications": { "operator": { "Operator.Admin": [] } } }""", "DeviceAuth:ScopeImplications:operator:Operator.Admin: differs in case only")]
    [InlineData("""{ "ScopeImplications": { "operator": { "a b": [] } } }""", "DeviceAuth:ScopeImplications:operator:a b: is no scope")]
    [InlineData("""{ "ScopeImplications": { "operator": { "operator.admin": ["*"] } } }""", "DeviceAuth:ScopeImplications:operator:operator.admin: found \"*\"")]
    [InlineData("""{ "ScopeImplications": { "operator": { "operator.admin": [".*"] } } }""", "DeviceAuth:ScopeImplications:operator:operator.admin: found \".*\"")]
    [InlineData("""{ "Pairing": { "RequestLifetime": "5" } }""", "DeviceAuth:Pairing:RequestLifetime: found \"5\"")]
    [InlineData("""{ "Pairing": { "MaxPendingRequests": 0 } }""", "DeviceAuth:Pairing:MaxPendingRequests: found")]
    [InlineData("""{ "Pairing": { "LegacyDevices": "Repair it" } }""", "DeviceAuth:Pairing:LegacyDevices: found \"Repair it\"; allowed: Upgrade, RePair.")]
    [InlineData("""{ "Pairing": { "ForgetRemovedAfter": "00:00:01" } }""", "DeviceAuth:Pairing:ForgetRemovedAfter: found \"00:00:01\"; allowed: at least DeviceAuth:Pairing:RequestLifetime")]
    public void An_error_names_the_key_the_value_and_the_allowed_values(string json, string error) =>
        Configurations.ErrorsOf(json).ShouldHaveSingleItem().ShouldStartWith(error);

    [Theory]
    [InlineData("""{ "Paring": { "AutoApprove": {} } }""", "DeviceAuth:Paring: unknown key; allowed here: ")]
    [InlineData("""{ "Pairing": { "AutoAprove": { "loopback": { "Enabled": false } } } }""", "DeviceAuth:Pairing:AutoAprove: unknown key; allowed here: ")]
    [InlineData("""{ "Pairing": { "AutoApprove": { "loopback": { "Enable": false } } } }""", "DeviceAuth:Pairing:AutoApprove:loopback:Enable: unknown key; allowed here: Enabled, ")]
    [InlineData("""{ "Limits": { "PerAddress": 1 } }""", "DeviceAuth:Limits:PerAddress: unknown key")]
    [InlineData("""{ "Unknown": null }""", "DeviceAuth:Unknown: unknown key")]
    [InlineData("""{ "Unknown": [] }""", "DeviceAuth:Unknown: unknown key")]
    public void An_unknown_key_is_an_error(string json, string error) =>
        Configurations.ErrorsOf(json).ShouldHaveSingleItem().ShouldStartWith(error);

    [Fact]
    public void All_errors_are_reported_at_once_one_a_line()
    {
        var exception = Should.Throw<InvalidConfigurationException>(() => Configurations.Read("""
            { "HandshakeTimeout": "x\ny", "Nonsense": 1, "Pairing": { "AutoApprove": { "lan": { "From": ["10.0.0.0/8"] } } } }
            """));

        exception.Errors.Count.ShouldBe(3);
        exception.Message.Split(Environment.NewLine).Length.ShouldBe(4);
    }

    [Fact]
    public void An_environment_variable_named_like_a_section_is_ignored() =>
        Configurations.ErrorsOf(Configurations.Json("""{ "DeviceAuth": "something else" }""")).ShouldBeEmpty();
}
