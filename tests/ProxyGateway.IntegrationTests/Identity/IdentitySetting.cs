using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.IntegrationTests.Gate;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Identity;

/// <summary>A gate with a route of each kind, <c>/open</c>, <c>/allow</c>, <c>/connect</c>, <c>/own</c>, <c>/proof</c> and <c>/dpop</c>, to one backend.</summary>
internal static class IdentitySetting
{
    private static readonly string[] Plain = ["Connection: close", "Upgrade:", "Sec-WebSocket-Version:", "Sec-WebSocket-Key:"];

    /// <summary>Starts it.</summary>
    /// <param name="own">The transforms of the last three.</param>
    /// <param name="others">The transforms of the other routes; null: none.</param>
    /// <param name="requestHeaders">The configured headers.</param>
    /// <param name="time">The clock.</param>
    /// <param name="store">The registry; null: one of its own.</param>
    public static Task<TestGateway> StartAsync(
        IReadOnlyList<IReadOnlyDictionary<string, string>> own,
        IReadOnlyList<IReadOnlyDictionary<string, string>>? others = null,
        IReadOnlyList<string>? requestHeaders = null,
        TimeProvider? time = null,
        InMemoryDeviceStore? store = null)
    {
        var settings = new Dictionary<string, string?>
        {
            ["DeviceAuth:Pairing:AutoApprove:all:From:0"] = "any",
            ["DeviceAuth:Pairing:AutoApprove:all:Reasons:0"] = "not-paired",
            ["DeviceAuth:RequestHeaders:0"] = "X-Other",
        };
        foreach ((int i, string name) in (requestHeaders ?? []).Index())
            settings[$"DeviceAuth:RequestHeaders:{i + 1}"] = name;
        return TestGateway.StartAsync(
            settings,
            services: s =>
            {
                store ??= new InMemoryDeviceStore(time);
                s.AddSingleton<IDeviceStore>(store).AddSingleton<ISharedDocumentStore>(store);
                HandshakeRegistration.Add<AnyDevice>(s, "Own");
            },
            routes: Routes(own, others),
            time: time);
    }

    /// <summary>Its routes.</summary>
    public static RouteConfig[] Routes(
        IReadOnlyList<IReadOnlyDictionary<string, string>> own, IReadOnlyList<IReadOnlyDictionary<string, string>>? others = null) =>
    [
        Route("open", others, ("DeviceAuth", "Off")),
        Route("allow", others, ("DeviceAuth", "ConnectFrame"), ("DeviceAuth.Http", "Allow")),
        Route("connect", others, ("DeviceAuth", "ConnectFrame")),
        Route("own", own, ("DeviceAuth", "Own"), ("DeviceAuth.Audience", "mail")),
        Route("proof", own, ("DeviceAuth", "Proof"), ("DeviceAuth.Audience", "mail"), ("DeviceAuth.Scopes", "agent.use")),
        Route("dpop", own, ("DeviceAuth", "Proof"), ("DeviceAuth.Audience", "mail"), ("DeviceAuth.ProofHeader", "DPoP")),
    ];

    /// <summary>Sends a request, and gives back the headers that the backend got; null if it got no request.</summary>
    public static async Task<(IHeaderDictionary? Heard, string Answer)> TrySendAsync(TestGateway gateway, string path, bool isUpgrade, params string[] headers)
    {
        IHeaderDictionary? heard = null;
        gateway.Backend.Http = context =>
        {
            heard = new HeaderDictionary(context.Request.Headers.ToDictionary(StringComparer.OrdinalIgnoreCase)); // the server empties its own afterwards
            return Task.CompletedTask;
        };
        string[] given = isUpgrade ? headers : [.. Plain.Where(p => !headers.Any(h => h.StartsWith(p[..(p.IndexOf(':', StringComparison.Ordinal) + 1)], StringComparison.Ordinal))), .. headers];
        (_, string head, Stream stream) = await TestClient.RequestAsync(gateway.Port, path, headers: given);
        await stream.DisposeAsync();
        return (heard, head);
    }

    /// <summary>Sends a request, which must reach the backend, and gives back the headers that it got.</summary>
    public static async Task<IHeaderDictionary> SendAsync(TestGateway gateway, string path, bool isUpgrade, params string[] headers)
    {
        (IHeaderDictionary? heard, string answer) = await TrySendAsync(gateway, path, isUpgrade, headers);
        return heard.ShouldNotBeNull(answer);
    }

    private static RouteConfig Route(string name, IReadOnlyList<IReadOnlyDictionary<string, string>>? transforms, params (string Key, string Value)[] metadata) => new()
    {
        RouteId = name,
        ClusterId = "agent",
        Match = new RouteMatch { Path = "/" + name },
        Metadata = metadata.ToDictionary(m => m.Key, m => m.Value),
        Transforms = transforms,
    };
}
