using ProxyGateway.DeviceAuth.Handshakes.Proof;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>What a route's metadata says about proofs.</summary>
public sealed class ProofRouteTests
{
    [Theory]
    [InlineData(null, null, null, "client", "", "Device-Proof", "Device-Nonce", "Device-Proof")]
    [InlineData("reader", "b a", "Device-Proof", "reader", "a b", "Device-Proof", "Device-Nonce", "Device-Proof")]
    [InlineData("reader", "a", "DPoP", "reader", "a", "DPoP", "DPoP-Nonce", "DPoP")]
    [InlineData(null, null, "dpop", "client", "", "Device-Proof", "Device-Nonce", "Device-Proof")]
    public void A_route_says_where_the_proof_is_and_what_it_asks_for(
        string? role, string? scopes, string? header, string expectedRole, string expectedScopes, string proofHeader, string nonceHeader, string scheme)
    {
        RouteConfig config = Config(role, scopes, header);

        ProofRoute route = ProofRoute.Of(config);

        (route.Role, route.Scopes.ToString()).ShouldBe((expectedRole, expectedScopes));
        (route.ProofHeader, route.NonceHeader, route.Scheme).ShouldBe((proofHeader, nonceHeader, scheme));
        ProofRoute.Of(config).ShouldBeSameAs(route, "each request would read it again");
    }

    [Fact]
    public void A_route_without_metadata_has_the_defaults()
    {
        ProofRoute route = ProofRoute.Of(new RouteConfig { RouteId = "agent", Match = new RouteMatch() });

        (route.Role, route.Scopes.Count, route.IsDPoP).ShouldBe(("client", 0, false));
    }

    // No route with such metadata is loaded; if one were, a proof without scopes would ask for none.
    [Theory]
    [InlineData("two words", null)]
    [InlineData("", null)]
    [InlineData(null, "a  b")]
    [InlineData("two words", "a  b")]
    public void Malformed_metadata_admits_nobody(string? role, string? scopes) =>
        Should.Throw<InvalidOperationException>(() => ProofRoute.Of(Config(role, scopes, header: null)));

    private static RouteConfig Config(string? role, string? scopes, string? header)
    {
        var metadata = new Dictionary<string, string>();
        if (role is not null)
            metadata["DeviceAuth.Role"] = role;
        if (scopes is not null)
            metadata["DeviceAuth.Scopes"] = scopes;
        if (header is not null)
            metadata["DeviceAuth.ProofHeader"] = header;
        return new RouteConfig { RouteId = "agent", Match = new RouteMatch(), Metadata = metadata };
    }
}
