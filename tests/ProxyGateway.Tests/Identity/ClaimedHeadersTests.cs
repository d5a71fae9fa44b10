using Microsoft.AspNetCore.Http;
using ProxyGateway.DeviceAuth.Identity;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.Tests.Identity;

public sealed class ClaimedHeadersTests
{
    [Fact]
    public void DPoP_is_the_backends_own_unless_the_route_takes_its_proofs_there()
    {
        Keeps("DPoP", proofHeader: null).ShouldBeTrue();
        Keeps("DPoP", proofHeader: "Device-Proof").ShouldBeTrue();
        Keeps("DPoP", proofHeader: "DPoP").ShouldBeFalse();
        Keeps("dpop", proofHeader: "DPoP").ShouldBeFalse();
        Keeps("Device-Proof", proofHeader: "DPoP").ShouldBeFalse();
        Keeps("Device-Proofs", proofHeader: "DPoP").ShouldBeTrue();
    }

    [Fact]
    public void What_a_transform_tells_of_the_device_is_claimed_and_a_secret_of_the_backend_is_not()
    {
        var claimed = new ClaimedHeaders(() => []);
        claimed.Add(Route([new() { ["DeviceHeader"] = "X-User", ["Value"] = "id" }, new() { ["RequestHeaderFromFile"] = "X-Api-Key", ["File"] = "/f" }]));
        var headers = new HeaderDictionary { ["x_user"] = "1", ["X-Api-Key"] = "2", ["X-Users"] = "3" };

        claimed.Remove(headers, Route([]));

        headers.Keys.ShouldBe(["X-Api-Key", "X-Users"]);
    }

    private static bool Keeps(string name, string? proofHeader)
    {
        var headers = new HeaderDictionary { [name] = "1" };
        new ClaimedHeaders(() => []).Remove(headers, Route([], proofHeader));
        return headers.ContainsKey(name);
    }

    private static RouteConfig Route(Dictionary<string, string>[] transforms, string? proofHeader = null) => new()
    {
        RouteId = "agent",
        Metadata = proofHeader is null ? null : new Dictionary<string, string> { ["DeviceAuth.ProofHeader"] = proofHeader },
        Transforms = transforms,
    };
}
