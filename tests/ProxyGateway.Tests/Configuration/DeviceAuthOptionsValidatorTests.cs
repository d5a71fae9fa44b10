using System.Collections.Immutable;
using System.Net;
using System.Security.Cryptography;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Configuration;

/// <summary>Options that are set in code are held to the same as those that are read.</summary>
public sealed class DeviceAuthOptionsValidatorTests
{
    private static readonly AutoApproveRule Rule = PairingPolicy.Default.AutoApprove[0];

    public static TheoryData<DeviceAuthOptions, string> Wrong => new()
    {
        { new() { Handshake = "Proof" }, "DeviceAuth:Handshake: found \"Proof\"; allowed: ConnectFrame." },
        { new() { Handshake = null! }, "DeviceAuth:Handshake: found null or {}; allowed: ConnectFrame." },
        { new() { HandshakeTimeout = TimeSpan.Zero }, "DeviceAuth:HandshakeTimeout: found \"00:00:00\"; allowed: a time span as [d.]hh:mm:ss, more than 00:00:00 and at most 00:10:00." },
        { new() { HandshakeTimeout = TimeSpan.FromMinutes(11) }, "DeviceAuth:HandshakeTimeout: found \"00:11:00\"" },
        { new() { MaxHandshakeBytes = 1023 }, "DeviceAuth:MaxHandshakeBytes: found \"1023\"; allowed: a whole number from 1024 to 16777216." },
        { new() { MaxHandshakeBytes = -1 }, "DeviceAuth:MaxHandshakeBytes: found \"-1\"" },
        { new() { SignatureSkew = TimeSpan.FromHours(2) }, "DeviceAuth:SignatureSkew: found" },
        { new() { HttpRequests = (HttpRequests)7 }, "DeviceAuth:HttpRequests: found \"7\"; allowed: Deny, Allow." },
        { new() { TrustedProxies = default }, "DeviceAuth:TrustedProxies: is not set" },
        { new() { PublicOrigins = default }, "DeviceAuth:PublicOrigins: is not set" },
        { new() { PublicOrigins = ["https://gate.example/"] }, "DeviceAuth:PublicOrigins: found \"https://gate.example/\"; allowed: exact origins" },
        { new() { PublicOrigins = ["https://Gate.example"] }, "DeviceAuth:PublicOrigins: found \"https://Gate.example\"; allowed: origins as browsers send them: https://gate.example." },
        { new() { PublicOrigins = ["wss://gate.example"] }, "DeviceAuth:PublicOrigins: found \"wss://gate.example\"; allowed: origins of http and https" },
        { new() { AllowedOrigins = default }, "DeviceAuth:AllowedOrigins: is not set" },
        { new() { AllowedOrigins = ["*"] }, "DeviceAuth:AllowedOrigins: found \"*\"; allowed: exact origins" },
        { new() { AllowedOrigins = ["https://Example.org:443"] }, "DeviceAuth:AllowedOrigins: found \"https://Example.org:443\"; allowed: origins as browsers send them: https://example.org." },
        { new() { RequestHeaders = default }, "DeviceAuth:RequestHeaders: is not set" },
        { new() { RequestHeaders = ["sec-websocket-extensions"] }, "DeviceAuth:RequestHeaders: found \"sec-websocket-extensions\"; allowed: any header but this" },
        { new() { RequestHeaders = ["X-*"] }, "DeviceAuth:RequestHeaders: found \"X-*\"; allowed: names of headers" },
        { new() { SharedTokenSha256 = default }, "DeviceAuth:SharedToken: is not set" },
        { new() { SharedTokenSha256 = [1, 2, 3] }, "DeviceAuth:SharedToken:Sha256: is no SHA-256" },
        { new() { SharedTokenSha256 = [.. SHA256.HashData([])] }, "DeviceAuth:SharedToken:Sha256: is that of an empty text" },
        { new() { DrainTime = TimeSpan.FromTicks(1) }, "DeviceAuth:DrainTime: found" },
        { new() { Limits = new() { Connections = 0 } }, "DeviceAuth:Limits:Connections: found \"0\"" },
        { new() { Limits = new() { ConnectionsPerAddress = 0 } }, "DeviceAuth:Limits:ConnectionsPerAddress: found \"0\"" },
        { new() { Limits = new() { HandshakesPerAddress = 0 } }, "DeviceAuth:Limits:HandshakesPerAddress: found \"0\"" },
        { new() { Limits = new() { HandshakesPerSecondPerAddress = 0 } }, "DeviceAuth:Limits:HandshakesPerSecondPerAddress: found \"0\"" },
        { new() { Limits = new() { FailuresPerAddress = 0 } }, "DeviceAuth:Limits:FailuresPerAddress: found \"0\"" },
        { new() { Limits = new() { HandshakesPerDestination = 0 } }, "DeviceAuth:Limits:HandshakesPerDestination: found \"0\"" },
        { new() { Limits = new() { Handshakes = 1_000_001 } }, "DeviceAuth:Limits:Handshakes: found \"1000001\"; allowed: a whole number from 1 to 1000000." },
        { new() { Limits = new() { SessionsPerDevice = 0 } }, "DeviceAuth:Limits:SessionsPerDevice: found \"0\"" },
        { new() { Limits = new() { PendingRequestsPerAddress = 0 } }, "DeviceAuth:Limits:PendingRequestsPerAddress: found \"0\"" },
        { new() { Limits = new() { PendingRequestsPerSubnet = 0 } }, "DeviceAuth:Limits:PendingRequestsPerSubnet: found \"0\"" },
        { new() { RequestLifetime = TimeSpan.Zero }, "DeviceAuth:Pairing:RequestLifetime: found" },
        { new() { MaxPendingRequests = 0 }, "DeviceAuth:Pairing:MaxPendingRequests: found" },
        { new() { ForgetRemovedAfter = TimeSpan.FromDays(40000) }, "DeviceAuth:Pairing:ForgetRemovedAfter: found" },
        { new() { ForgetRemovedAfter = TimeSpan.FromSeconds(1) }, "DeviceAuth:Pairing:ForgetRemovedAfter: found \"00:00:01\"; allowed: at least DeviceAuth:Pairing:RequestLifetime, which is 00:05:00." },
        { new() { ForgetIdleAfter = TimeSpan.FromMinutes(1) }, "DeviceAuth:Pairing:ForgetIdleAfter: found" },
        { new() { Policy = new() { LegacyDevices = (LegacyDevices)7 } }, "DeviceAuth:Pairing:LegacyDevices: found \"7\"" },
        { new() { Policy = new() { MaxDevicesByRules = 0 } }, "DeviceAuth:Pairing:MaxDevicesByRules: found" },
        { new() { Policy = new() { AutoApprove = default } }, "DeviceAuth:Pairing:AutoApprove: is not set" },
        { new() { Policy = new() { AutoApprove = [Rule, Rule with { Name = "Loopback" }] } }, "DeviceAuth:Pairing:AutoApprove: has 2 rules of the name loopback" },
        { Implying("a role", "all", "camera"), "DeviceAuth:ScopeImplications:a role: is no role" },
        { Implying("node", "a b", "camera"), "DeviceAuth:ScopeImplications:node:a b: is no scope" },
        { Implying("node", "all", "*"), "DeviceAuth:ScopeImplications:node:all: found \"*\"; allowed: scopes, or families" },
        { With(Rule with { Name = "a rule" }), "DeviceAuth:Pairing:AutoApprove:a rule: has no proper name" },
        { With(Rule with { Name = "0" }), "DeviceAuth:Pairing:AutoApprove:0: has no proper name" },
        { With(Rule with { FromLoopback = false }), "DeviceAuth:Pairing:AutoApprove:loopback:From: is empty, so the rule could never match." },
        { With(Rule with { FromNetworks = default }), "DeviceAuth:Pairing:AutoApprove:loopback:From: is not set" },
        { With(Rule with { FromNetworks = [IPNetwork.Parse("127.0.0.0/8")] }), "DeviceAuth:Pairing:AutoApprove:loopback:From: found \"127.0.0.0/8\"; allowed: loopback, any, and networks other than loopback's" },
        { With(Rule with { Reasons = [] }), "DeviceAuth:Pairing:AutoApprove:loopback:Reasons: is empty, so the rule could never match." },
        { With(Rule with { Reasons = [(PairingReason)7] }), "DeviceAuth:Pairing:AutoApprove:loopback:Reasons: found \"7\"" },
        { With(Rule with { FromAny = true, Users = [1000] }), "DeviceAuth:Pairing:AutoApprove:loopback:Users: users can be told on loopback only" },
        { With(Rule with { Users = default(ImmutableArray<uint>) }), "DeviceAuth:Pairing:AutoApprove:loopback:Users: is not set" },
        { With(Rule with { UpTo = ImmutableDictionary<string, ScopeSet>.Empty }), "DeviceAuth:Pairing:AutoApprove:loopback:UpTo: is empty, so the rule could never match." },
        { With(Rule with { UpTo = UpTo("a role", "scope") }), "DeviceAuth:Pairing:AutoApprove:loopback:UpTo:a role: is no role" },
        { With(Rule with { UpTo = UpTo("operator", "operator.*") }), "DeviceAuth:Pairing:AutoApprove:loopback:UpTo:operator: found \"operator.*\"; allowed: scopes" },
        { With(Rule with { MaxDevicesPerHour = 0 }), "DeviceAuth:Pairing:AutoApprove:loopback:MaxDevicesPerHour: found \"0\"" },
        { new() { Freshness = new FreshnessOptions { SweepInterval = TimeSpan.FromDays(2) } }, "Registry:SweepInterval: found" },
        { new() { Freshness = new FreshnessOptions { StalenessLimit = TimeSpan.FromDays(2) } }, "Registry:StalenessLimit: found \"2.00:00:00\"" },
        { new() { Freshness = new FreshnessOptions { StalenessLimit = TimeSpan.FromSeconds(4) } }, "Registry:StalenessLimit: found \"00:00:04\"; allowed: at least 00:00:05" },
    };

    [Fact]
    public void The_defaults_are_valid() => ErrorsOf(new DeviceAuthOptions()).ShouldBeEmpty();

    [Theory]
    [MemberData(nameof(Wrong), DisableDiscoveryEnumeration = true)]
    public void An_error_names_the_key_of_the_configuration(DeviceAuthOptions options, string error) =>
        ErrorsOf(options).ShouldHaveSingleItem().ShouldStartWith(error);

    [Fact]
    public void All_errors_are_reported_at_once() =>
        ErrorsOf(new DeviceAuthOptions { RequestHeaders = ["a b", "c d"], MaxHandshakeBytes = 0 }).Count.ShouldBe(3);

    [Fact]
    public void An_invalid_shared_token_is_not_quoted() =>
        ErrorsOf(new DeviceAuthOptions { SharedTokenSha256 = [.. "the token"u8] }).ShouldAllBe(e => !e.Contains("the token", StringComparison.Ordinal));

    [Theory]
    [InlineData("MaxHandshakeBytes", "1024", "16777216")]
    [InlineData("HandshakeTimeout", "00:00:00.0000001", "00:10:00")]
    [InlineData("DrainTime", "00:00:00", "01:00:00")]
    public void The_ends_of_a_range_are_allowed(string key, params string[] ends) =>
        ends.ShouldAllBe(end => Configurations.ErrorsOf($$"""{ "{{key}}": "{{end}}" }""").Count == 0);

    [Fact]
    public void An_application_starts_only_with_valid_options_in_code()
    {
        IConfiguration nothing = new ConfigurationBuilder().Build();
        GatewayConfiguration Start(DeviceAuthOptions options) => GatewayConfiguration.Start(
            nothing, [DeviceAuthOptionsValidator.Part(options, [DeviceAuthDefaults.ConnectFrame])], NullLogger<GatewayConfiguration>.Instance);

        var options = new DeviceAuthOptions { MaxHandshakeBytes = 2048 };
        using GatewayConfiguration configuration = Start(options);
        configuration.Current.Get<DeviceAuthOptions>().ShouldBeSameAs(options);
        Should.Throw<InvalidConfigurationException>(() => Start(options with { MaxHandshakeBytes = 1 }))
            .Errors.ShouldHaveSingleItem().ShouldStartWith("DeviceAuth:MaxHandshakeBytes: found \"1\"");
    }

    private static IReadOnlyList<string> ErrorsOf(DeviceAuthOptions options)
    {
        var errors = new ConfigurationErrors();
        new DeviceAuthOptionsValidator([DeviceAuthDefaults.ConnectFrame], errors).Validate(options);
        return errors.All;
    }

    private static DeviceAuthOptions With(AutoApproveRule rule) => new() { Policy = new PairingPolicy { AutoApprove = [rule] } };

    private static DeviceAuthOptions Implying(string role, string scope, string covered) => new()
    {
        Policy = new PairingPolicy
        {
            Implications = new ScopeImplications(ImmutableDictionary<string, ImmutableDictionary<string, ImmutableArray<string>>>.Empty
                .Add(role, ImmutableDictionary<string, ImmutableArray<string>>.Empty.Add(scope, [covered]))),
        },
    };

    private static ImmutableDictionary<string, ScopeSet> UpTo(string role, string scope) => ImmutableDictionary<string, ScopeSet>.Empty.Add(role, ScopeSet.Of(scope));
}
