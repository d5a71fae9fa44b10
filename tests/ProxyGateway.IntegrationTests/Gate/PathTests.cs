using System.Text;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>A gated path beside one that is open: no spelling of the gated one gets through the open one.</summary>
public sealed class PathTests(PathTests.TwoRoutes shared) : IClassFixture<PathTests.TwoRoutes>
{
    private static readonly string[] Plain = ["Connection: close", "Upgrade:", "Sec-WebSocket-Version:", "Sec-WebSocket-Key:"];

    [Theory]
    [InlineData("/agent", 403)]
    [InlineData("/agent/", 403)]
    [InlineData("/AGENT/x", 403)]
    [InlineData("/%61gent/x", 403)]
    [InlineData("/agent/..", 200)]
    [InlineData("/open/../agent/x", 403)]
    [InlineData("/open/%2e%2e/agent/x", 403)]
    [InlineData("/open/.%2e/agent/x", 403)]
    [InlineData("/open/..%2fagent/x", 400)]
    [InlineData("/open/..%2Fagent/x", 400)]
    [InlineData("/open/..%5cagent/x", 400)]
    [InlineData("/open/%252e%252e/agent/x", 400)]
    [InlineData("//agent/x", 400)]
    [InlineData("/open//agent", 400)]
    [InlineData("/%2fagent/x", 400)]
    [InlineData("/agent;v=1/x", 400)]
    [InlineData("/open/%c0%ae%c0%ae/agent", 400)]
    [InlineData("/open/..;/agent", 400)]
    [InlineData("/agent%2fx", 400)]
    [InlineData("http://localhost/agent%2fx", 403)]
    [InlineData("/open/x%0d%0aHost:%20evil", 400)]
    [InlineData("http://localhost/open/../agent/x", 403)]
    [InlineData("http://localhost/open/..%2fagent/x", 400)] // the server decodes this one to the end, and the backend would be asked for /agent/x
    [InlineData("http://localhost/open/x%2f%2e%2e%2f%2e%2e%2fagent", 400)]
    [InlineData("http://localhost/open/%252e%252e/agent", 400)]
    [InlineData("http://localhost/open/x", 200)]
    [InlineData("/open/x", 200)]
    [InlineData("/open/a%20b", 200)]
    [InlineData("/", 200)]
    public async Task A_path_that_leads_to_the_gated_one_is_gated_or_refused(string path, int expected)
    {
        shared.Gateway.Backend.Requests.Clear();
        (int status, string head, Stream stream) = await TestClient.RequestAsync(shared.Gateway.Port, host: "localhost", headers: Plain, requestLine: $"GET {path} HTTP/1.1");
        await stream.DisposeAsync();

        status.ShouldBe(expected, head);
        shared.Gateway.Backend.Requests.Count.ShouldBe(expected == 200 ? 1 : 0);
    }

    [Theory]
    [InlineData("GET http://localhost/ HTTP/1.1", "gateway.example.org", 400)]
    [InlineData("GET http://localhost/agent HTTP/1.1", "localhost", 403)]
    [InlineData("GET http://gateway.example.org/open HTTP/1.1", "gateway.example.org", 200)]
    [InlineData("GET ftp://localhost/agent HTTP/1.1", "localhost", 400)]
    [InlineData("GET agent HTTP/1.1", "localhost", 405)]
    [InlineData("GET * HTTP/1.1", "localhost", 405)]
    [InlineData("OPTIONS * HTTP/1.1", "localhost", 200)] // the root, where plain HTTP passes
    [InlineData("CONNECT localhost:80 HTTP/1.1", "localhost:80", 403)]
    [InlineData("GET /agent HTTP/1.1\r\nHost: localhost", "gateway.example.org", 400)]
    public async Task Other_forms_of_targets_and_several_hosts_do_not_bypass_the_gate(string requestLine, string host, int expected)
    {
        shared.Gateway.Backend.Requests.Clear();
        (int status, string head, Stream stream) = await TestClient.RequestAsync(shared.Gateway.Port, host: host, headers: Plain, requestLine: requestLine);
        await stream.DisposeAsync();

        status.ShouldBe(expected, head);
        shared.Gateway.Backend.Requests.Count.ShouldBe(expected == 200 ? 1 : 0);
    }

    [Fact]
    public async Task The_gate_sees_headers_that_a_Connection_header_names()
    {
        // Named there, a header is of this hop only: proxies drop it, and it would be gone before the gate has looked.
        await using Encounter encounter = await Encounter.AskAsync(
            shared.Gateway, new TestDevice(), port: shared.Gateway.Port, headers: ["Connection: Upgrade, X-Forwarded-For, Origin, Host", "X-Forwarded-For: 203.0.113.1"]);

        await encounter.ShouldRequirePairingAsync("not-paired");
    }

    [Fact]
    public async Task Two_Connection_headers_can_make_one_upgrade()
    {
        (int status, _, Stream stream) = await TestClient.RequestAsync(shared.Gateway.Port, path: "/agent", headers: ["Connection: keep-alive", "Connection: Upgrade"]);
        status.ShouldBe(101);
        await stream.WriteAsync(Encoding.ASCII.GetBytes("no frame"));
        await stream.DisposeAsync();
        await (await shared.Gateway.Backend.AcceptAsync()).Completion;
    }

    public sealed class TwoRoutes : SharedGateway
    {
        private protected override Task<TestGateway> StartAsync() => TestGateway.StartAsync(Settings, routes:
        [
            Route("agent", "/agent/{**rest}", order: 1, new() { ["DeviceAuth"] = "ConnectFrame" }),
            Route("root", "/", order: 1, new() { ["DeviceAuth.Http"] = "Allow" }),
            Route("open", "/{**rest}", order: 2, new() { ["DeviceAuth"] = "Off" }),
        ]);

        private static RouteConfig Route(string id, string path, int order, Dictionary<string, string> metadata) =>
            new() { RouteId = id, ClusterId = "agent", Order = order, Match = new RouteMatch { Path = path }, Metadata = metadata };
    }
}
