using ProxyGateway.DeviceAuth.Configuration;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.Tests.Configuration;

public sealed class DeviceAuthRouteValidatorTests
{
    [Theory]
    [InlineData("DeviceAuth", "Off", true)]
    [InlineData("DeviceAuth", "ConnectFrame", true)]
    [InlineData("DeviceAuth.Http", "Deny", true)]
    [InlineData("DeviceAuth.Http", "Allow", true)]
    [InlineData("DeviceAuth.Role", "node", true)]
    [InlineData("DeviceAuth.Role", "", false)]
    [InlineData("DeviceAuth.Role", "two words", false)]
    [InlineData("DeviceAuth.Scopes", "a.read a.write", true)]
    [InlineData("DeviceAuth.Scopes", "", false)]
    [InlineData("DeviceAuth.Scopes", "a,b", false)]
    [InlineData("DeviceAuth.Scopes", "a  b", false)]
    [InlineData("DeviceAuth.Scope", "a", false)]
    [InlineData("DeviceAuth.ProofHeader", "DPoP", true)]
    [InlineData("DeviceAuth.ProofHeader", "Device-Proof", true)]
    [InlineData("DeviceAuth.ProofHeader", "dpop", false)]
    [InlineData("DeviceAuth.ProofHeader", "Authorization", false)]
    [InlineData("DeviceAuth.SessionTokens", "Allow", true)]
    [InlineData("DeviceAuth.SessionTokens", "Deny", true)]
    [InlineData("DeviceAuth.SessionTokens", "allow", false)]
    [InlineData("DeviceAuth.SessionTokens", "", false)]
    [InlineData("DeviceAuth.SessionToken", "Allow", false)]
    [InlineData("DeviceAuth.Audience", "agent-2", true)]
    [InlineData("DeviceAuth.Audience", "default", true)]
    [InlineData("DeviceAuth.Audience", "Agent", false)]
    [InlineData("DeviceAuth.Audience", "", false)]
    [InlineData("DeviceAuth.Audience", null, false)]
    [InlineData("DeviceAuth.Audience", "a/b", false)]
    [InlineData("DeviceAuth.Audience", "agent ", false)]
    [InlineData("DeviceAuth.Audiences", "agent-2", false)]
    [InlineData("Other", "anything", true)]
    [InlineData("DeviceAuth", "off", false)]
    [InlineData("DeviceAuth", "connectframe", false)]
    [InlineData("DeviceAuth", "", false)]
    [InlineData("DeviceAuth", null, false)]
    [InlineData("DeviceAuth", "Deny", false)]
    [InlineData("DeviceAuth.Http", "allow", false)]
    [InlineData("DeviceAuth.Http", "Off", false)]
    [InlineData("DeviceAuth.Htpp", "Allow", false)]
    [InlineData("DeviceAuthHttp", "Allow", false)]
    [InlineData("DEVICEAUTH.HTPP", "Allow", false)]
    public async Task Metadata_is_spelt_exactly_or_refused(string key, string? value, bool valid)
    {
        (await Errors(StringComparer.OrdinalIgnoreCase, (key, value))).Count.ShouldBe(valid ? 0 : 1);
        (await Errors(StringComparer.Ordinal, (key, value))).Count.ShouldBe(valid ? 0 : 1);
    }

    [Fact]
    public async Task A_metadata_key_in_another_case_is_accepted_only_if_the_gate_finds_it()
    {
        (await Errors(StringComparer.OrdinalIgnoreCase, ("deviceauth", "Off"))).ShouldBeEmpty();
        (await Errors(StringComparer.Ordinal, ("deviceauth", "Off"))).ShouldHaveSingleItem();
        (await Errors(StringComparer.OrdinalIgnoreCase, ("deviceauth.audience", "agent-2"))).ShouldBeEmpty();
        (await Errors(StringComparer.Ordinal, ("deviceauth.audience", "agent-2"))).ShouldHaveSingleItem();
        (await Errors(StringComparer.Ordinal, ("deviceauth", "Off"), ("DeviceAuth", "ConnectFrame"))).ShouldHaveSingleItem();
    }

    // Its owner would believe that it asks for these scopes.
    [Theory]
    [InlineData("DeviceAuth.Role", "node")]
    [InlineData("DeviceAuth.Scopes", "a")]
    [InlineData("DeviceAuth.ProofHeader", "DPoP")]
    [InlineData("DeviceAuth.SessionTokens", "Allow")]
    public async Task What_only_a_proof_reads_is_refused_on_another_route(string key, string value)
    {
        (await Errors(StringComparer.OrdinalIgnoreCase, (key, value), ("deviceauth", "Off"))).ShouldHaveSingleItem();
        (await Errors(StringComparer.Ordinal, (key, value), ("DeviceAuth", "ConnectFrame"))).ShouldHaveSingleItem();
        (await Errors(StringComparer.Ordinal, (key, value), ("DeviceAuth", "Proof"))).ShouldBeEmpty();
    }

    // The program names the handshake of each route; an application may leave it to the options.
    [Theory]
    [InlineData("DeviceAuth.Scopes", "a", "ConnectFrame", 1)]
    [InlineData("DeviceAuth.Scopes", "a", "Off", 1)]
    [InlineData("DeviceAuth.Scopes", "a", "Proof", 0)]
    [InlineData("DeviceAuth.SessionTokens", "Deny", "ConnectFrame", 1)]
    [InlineData("DeviceAuth.Audience", "a", "ConnectFrame", 0)]
    public async Task What_only_a_proof_reads_is_refused_where_the_options_name_another_handshake(string key, string value, string ofOthers, int expected)
    {
        var errors = new List<Exception>();
        var route = new RouteConfig { RouteId = "r", Metadata = new Dictionary<string, string> { [key] = value } };

        await new DeviceAuthRouteValidator(["ConnectFrame", "Proof"], () => ofOthers).ValidateAsync(route, errors);

        errors.Count.ShouldBe(expected);
    }

    [Fact]
    public async Task A_route_without_metadata_is_valid() =>
        (await Errors(new RouteConfig { RouteId = "r" })).ShouldBeEmpty();

    [Theory]
    [InlineData("2026-07-28", HeaderMatchMode.ExactHeader, HeaderMatchMode.ExactHeader, 0)]
    [InlineData("2027-01-01", HeaderMatchMode.ExactHeader, HeaderMatchMode.HeaderPrefix, 0)]
    [InlineData("2026-07-28;2027-01-01", HeaderMatchMode.ExactHeader, HeaderMatchMode.ExactHeader, 0)]
    [InlineData(null, HeaderMatchMode.ExactHeader, HeaderMatchMode.ExactHeader, 1)]
    [InlineData("2025-11-25", HeaderMatchMode.ExactHeader, HeaderMatchMode.ExactHeader, 1)]
    [InlineData("2026-07-28;2025-06-18", HeaderMatchMode.ExactHeader, HeaderMatchMode.ExactHeader, 1)]
    [InlineData("2026-07-28", HeaderMatchMode.HeaderPrefix, HeaderMatchMode.ExactHeader, 1)]
    [InlineData("draft", HeaderMatchMode.ExactHeader, HeaderMatchMode.ExactHeader, 1)]
    [InlineData("2026-07-28", HeaderMatchMode.ExactHeader, HeaderMatchMode.NotContains, 1)]
    [InlineData("2026-07-28", HeaderMatchMode.ExactHeader, HeaderMatchMode.Exists, 1)]
    [InlineData("2025-11-25", HeaderMatchMode.ExactHeader, HeaderMatchMode.Contains, 2)]
    public async Task A_route_matches_headers_of_the_body_only_where_the_server_compares_them(
        string? versions, HeaderMatchMode versionMode, HeaderMatchMode nameMode, int expected)
    {
        foreach (string name in new[] { "Mcp-Method", "mcp-name" })
        {
            List<RouteHeader> headers = [new() { Name = name, Values = nameMode == HeaderMatchMode.Exists ? null : ["x"], Mode = nameMode }];
            if (versions is not null)
                headers.Add(new RouteHeader { Name = "Mcp-Protocol-Version", Values = versions.Split(';'), Mode = versionMode });

            (await Errors(new RouteConfig { RouteId = "r", Match = new RouteMatch { Headers = headers } })).Count.ShouldBe(expected);
        }
    }

    [Fact]
    public async Task A_route_that_matches_the_version_alone_is_valid() => (await Errors(new RouteConfig
    {
        RouteId = "r",
        Match = new RouteMatch { Headers = [new RouteHeader { Name = "MCP-Protocol-Version", Values = ["2025-11-25"] }] },
    })).ShouldBeEmpty();

    private static Task<List<Exception>> Errors(StringComparer comparer, params (string Key, string? Value)[] metadata) =>
        Errors(new RouteConfig { RouteId = "r", Metadata = metadata.ToDictionary(m => m.Key, m => m.Value!, comparer) });

    private static async Task<List<Exception>> Errors(RouteConfig route)
    {
        var errors = new List<Exception>();
        await new DeviceAuthRouteValidator(["ConnectFrame", "Proof"]).ValidateAsync(route, errors);
        return errors;
    }
}
