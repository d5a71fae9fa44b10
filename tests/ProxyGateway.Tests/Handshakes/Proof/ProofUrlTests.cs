using ProxyGateway.DeviceAuth.Handshakes.Proof;

namespace ProxyGateway.Tests.Handshakes.Proof;

/// <summary>Which URLs of a proof are those of a request.</summary>
public sealed class ProofUrlTests
{
    [Theory]
    [InlineData("https://gate.example/agent", "/agent", true)]
    [InlineData("https://gate.example/", "/", true)]
    [InlineData("https://gate.example:8443/agent", "/agent", true)]
    [InlineData("https://gate.example", "/", false)]
    [InlineData("https://gate.example", "", false)]
    [InlineData("https://gate.example/agent/", "/agent", false)]
    [InlineData("https://gate.example/Agent", "/agent", false)] // never ignoring case
    [InlineData("https://Gate.example/agent", "/agent", false)]
    [InlineData("HTTPS://gate.example/agent", "/agent", false)]
    [InlineData("http://gate.example/agent", "/agent", false)]
    [InlineData("wss://gate.example/agent", "/agent", false)]
    [InlineData("https://gate.example:443/agent", "/agent", false)]
    [InlineData("https://gate.example.evil.example/agent", "/agent", false)]
    [InlineData("https://evil.example/agent", "/agent", false)]
    [InlineData("https://gate.example@evil.example/agent", "/agent", false)]
    [InlineData("https://user@gate.example/agent", "/agent", false)]
    [InlineData("https://gate.example/agent?x=1", "/agent", false)]
    [InlineData("https://gate.example/agent?", "/agent", false)]
    [InlineData("https://gate.example/agent#x", "/agent", false)]
    [InlineData("https://gate.example//agent", "/agent", false)]
    [InlineData("https://gate.example/x/../agent", "/agent", false)]
    [InlineData("https://gate.example/a%2fb", "/a/b", false)] // an encoded slash is no slash
    [InlineData("https://gate.example/a%2fb", "/a%2Fb", true)]
    [InlineData("https://gate.example/a%2Fb", "/a%2fb", true)]
    [InlineData("https://gate.example/%61gent", "/agent", true)]
    [InlineData("https://gate.example/agent", "/%61%67ent", true)]
    [InlineData("https://gate.example/%41gent", "/agent", false)]
    [InlineData("https://gate.example/a%252fb", "/a%2fb", false)] // decoded once
    [InlineData("https://gate.example/a%zz", "/a%zz", true)]
    [InlineData("https://gate.example/a%", "/a%", true)]
    [InlineData("https://gate.example/a b", "/a%20b", false)]
    [InlineData("https://gate.example/%7Ea", "/~a", true)]
    [InlineData("https://gate.example/%2Da%2Eb%5Fc", "/-a.b_c", true)]
    [InlineData("https://gate.example/%61%", "/a%", true)]
    [InlineData("https://gate.example/%61%4", "/a%4", true)]
    [InlineData("https://gate.example/a%2fb", "/a%3fb", false)]
    [InlineData("https://gate.example/a%2fb", "/a%2cb", false)]
    [InlineData("https://gate.example/%41x42", "/AB", false)] // an x encodes nothing
    [InlineData("127.0.0.1/agent", "/agent", false)]
    [InlineData("http://127.0.0.1/agent", "/agent", false)] // there are public origins
    public void With_public_origins(string url, string path, bool fits) =>
        ProofUrl.Fits(url, path, ["https://gate.example", "https://gate.example:8443"]).ShouldBe(fits);

    [Theory]
    [InlineData("http://127.0.0.1/agent", true)]
    [InlineData("http://127.0.0.1:8080/agent", true)]
    [InlineData("https://localhost:8080/agent", true)]
    [InlineData("http://gate.localhost:8080/agent", true)]
    [InlineData("http://[::1]:8080/agent", true)]
    [InlineData("http://[::1]/agent", true)]
    [InlineData("http://127.8.9.10/agent", true)]
    [InlineData("http://gate.example/agent", false)]
    [InlineData("http://10.0.0.1/agent", false)]
    [InlineData("http://127.1/agent", false)]
    [InlineData("http://2130706433/agent", false)]
    [InlineData("http://localhost.evil.example/agent", false)]
    [InlineData("http://localhost:65535/agent", true)]
    [InlineData("http://user@localhost/agent", false)]
    [InlineData("http://user@gate.localhost/agent", false)]
    [InlineData("httpx://localhost/agent", false)]
    [InlineData("x://a/agent", false)]
    [InlineData("http://localhost:x@evil.example/agent", false)]
    [InlineData("http://localhost:/agent", false)]
    [InlineData("http://localhost:80:80/agent", false)]
    [InlineData("http://localhost:123456/agent", false)]
    [InlineData("http://[::1/agent", false)]
    [InlineData("http://[::1]x/agent", false)]
    [InlineData("http:///agent", false)]
    [InlineData("ws://localhost/agent", false)]
    [InlineData("ftp://localhost/agent", false)]
    [InlineData("/agent", false)]
    [InlineData("", false)]
    public void Without_public_origins_loopback_alone(string url, bool fits) => ProofUrl.Fits(url, "/agent", []).ShouldBe(fits);

    [Theory]
    [InlineData("/a?x=/b", "/a")]
    [InlineData("/a", "/a")]
    [InlineData("/?", "/")]
    [InlineData("*", "")]
    [InlineData("http://gate.example/a", "")]
    [InlineData("gate.example:443", "")]
    [InlineData("", "")]
    public void The_path_of_a_target_is_as_it_came(string target, string path) => ProofUrl.PathOfTarget(target).ShouldBe(path);

    [Fact]
    public void No_URL_fits_no_path() => ProofUrl.Fits("http://localhost", "", []).ShouldBeFalse();
}
