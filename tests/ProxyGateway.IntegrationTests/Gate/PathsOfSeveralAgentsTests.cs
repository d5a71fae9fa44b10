using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Identity;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Agents of several audiences behind one server: no spelling of a path leads a device that one has admitted to another.</summary>
public sealed class PathsOfSeveralAgentsTests(PathsOfSeveralAgentsTests.Agents shared) : IClassFixture<PathsOfSeveralAgentsTests.Agents>
{
    private static readonly string[] Plain = ["Connection: close", "Upgrade:", "Sec-WebSocket-Version:", "Sec-WebSocket-Key:"];

    [Theory]
    [InlineData("/mail/x", 200)]
    [InlineData("/x", 200)]
    [InlineData("/bank/x", 403)]
    [InlineData("/BANK/x", 403)]
    [InlineData("/%62ank/x", 403)]
    [InlineData("/mail/../bank/x", 403)]
    [InlineData("/mail/%2e%2e/bank/x", 403)]
    [InlineData("/mail/..%2fbank/x", 400)]
    [InlineData("/mail/..;/bank/x", 400)]
    [InlineData("/mail/..%5cbank/x", 400)]
    [InlineData("/mail/%252e%252e/bank/x", 400)]
    [InlineData("//bank/x", 400)]
    [InlineData("/bank;v=1/x", 400)]
    [InlineData("/mail/a%2fb", 200)]
    [InlineData("/%2562ank/x", 400)]
    [InlineData("http://localhost/mail/x%2f..%2f..%2fbank/x", 400)] // the server decodes it to the end, and the proxy would ask the backend for /bank/x
    public async Task A_device_of_one_agent_does_not_reach_another(string path, int expected)
    {
        string[][] kinds = expected == 200 ? [Plain] : [Plain, []]; // the second is an upgrade
        foreach (string[] headers in kinds)
        {
            shared.Gateway.Backend.Requests.Clear();
            (int status, string head, Stream stream) = await TestClient.RequestAsync(
                shared.Gateway.Port, host: "localhost", headers: headers, requestLine: $"GET {path} HTTP/1.1");
            await stream.DisposeAsync();

            status.ShouldBe(expected, head);
            shared.Gateway.Backend.Requests.Count.ShouldBe(expected == 200 ? 1 : 0);
        }
    }

    public sealed class Agents : SharedGateway
    {
        private protected override Task<TestGateway> StartAsync() => TestGateway.StartAsync(
            new()
            {
                ["DeviceAuth:Pairing:AutoApprove:loopback:Enabled"] = "false",
                ["DeviceAuth:Pairing:AutoApprove:all:From:0"] = "any",
                ["DeviceAuth:Pairing:AutoApprove:all:Reasons:0"] = "not-paired",
                ["DeviceAuth:Pairing:AutoApprove:all:Audiences:0"] = "mail",
                ["DeviceAuth:Pairing:AutoApprove:all:Audiences:1"] = "default",
            },
            services: services =>
            {
                services.AddSingleton<IDeviceStore>(new InMemoryDeviceStore(TimeProvider.System));
                HandshakeRegistration.Add<AnyDevice>(services, "Own");
            },
            routes:
            [
                Route("mail", "/mail/{**rest}", order: 1, new() { ["DeviceAuth"] = "Own", ["DeviceAuth.Audience"] = "mail" }),
                Route("bank", "/bank/{**rest}", order: 1, new() { ["DeviceAuth"] = "Own", ["DeviceAuth.Audience"] = "bank" }),
                Route("rest", "/{**rest}", order: 2, new() { ["DeviceAuth"] = "Own" }),
            ]);

        private static RouteConfig Route(string id, string path, int order, Dictionary<string, string> metadata) =>
            new() { RouteId = id, ClusterId = "agent", Order = order, Match = new RouteMatch { Path = path }, Metadata = metadata };
    }
}
