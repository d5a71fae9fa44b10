using System.Net;
using System.Net.WebSockets;
using System.Security.Claims;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.Tokens;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Identity;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>Hubs of SignalR and its own client, by each of its transports: in an application with the scheme DeviceProof, and behind the gate.</summary>
public sealed class SignalRTests : IAsyncDisposable, IDisposable
{
    private static readonly Operator Ops = new("ops");

    private readonly ProofSigner _device = ProofSigner.WithEd25519();
    private readonly List<IAsyncDisposable> _toDispose = [];

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable each in Enumerable.Reverse(_toDispose))
            await each.DisposeAsync();
    }

    public void Dispose() => _device.Dispose();

    [Theory]
    [InlineData(HttpTransportType.WebSockets)]
    [InlineData(HttpTransportType.ServerSentEvents)]
    [InlineData(HttpTransportType.LongPolling)]
    public async Task A_hub_of_the_application_knows_the_device_until_it_is_removed(HttpTransportType transport)
    {
        WebApplication app = await StartAsync(
            builder =>
            {
                builder.Services
                    .AddDeviceAuthorization(options => options with { Policy = new PairingPolicy { AutoApprove = [] }, Limits = options.Limits with { FailuresPerAddress = 1000 } })
                    .AddInMemoryStore(new InMemoryDeviceStore());
                builder.Services.AddAuthentication(DeviceProofDefaults.AuthenticationScheme).AddDeviceProof(options => options.Scopes = ScopeSet.Of("chat.use"));
            },
            user => $"{user.FindFirstValue(DeviceClaimTypes.DeviceId)} {user.FindFirstValue(DeviceClaimTypes.Role)} {user.FindFirstValue(DeviceClaimTypes.Scope)}");
        DeviceRegistry registry = app.Services.GetRequiredService<DeviceRegistry>();
        PairingRules rules = app.Services.GetRequiredService<IDeviceAuthSettings>().Current.PairingRules;
        var address = new Uri(app.Urls.First());

        await IsRefusedAsync(address, transport);
        PairingRequest asked = (await registry.ListOpenRequestsAsync(cursor: null, 1, default)).Items.ShouldHaveSingleItem();
        (await registry.ApproveAsync(asked.Id, new GrantTerms(), Ops, rules, default)).ShouldNotBeNull().Outcome.ShouldBe(DecisionOutcome.Done);
        (HubConnection hub, Task ended) = await ConnectAsync(address, transport);
        (await hub.InvokeAsync<string>("WhoAmI")).ShouldBe($"{_device.Id} client chat.use");
        (await hub.StreamAsync<int>("Count").ToListAsync()).ShouldBe([1, 2, 3]);
        (await registry.RemoveAsync(_device.Id, Ops, rules, default)).ShouldBeTrue();

        await ended.WaitAsync(Eventually.Patience);
        await IsRefusedAsync(address, transport);
    }

    [Theory]
    [InlineData(HttpTransportType.WebSockets)]
    [InlineData(HttpTransportType.ServerSentEvents)]
    [InlineData(HttpTransportType.LongPolling)]
    public async Task A_hub_behind_the_gate_knows_the_device_until_it_is_removed(HttpTransportType transport)
    {
        Uri? gateAddress = null;
        WebApplication app = await StartAsync(
            builder => builder.Services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer(options =>
            {
                options.MapInboundClaims = false;
                options.TokenValidationParameters = new TokenValidationParameters
                {
                    ValidIssuer = "http://localhost",
                    ValidAudience = "default",
                    ValidTypes = ["device-assertion+jwt"],
                    ValidAlgorithms = ["ES256"],
                    ClockSkew = TimeSpan.FromMinutes(2),
                };
                options.Events = new JwtBearerEvents
                {
                    OnMessageReceived = async context =>
                    {
                        using var http = new HttpClient();
                        options.TokenValidationParameters.IssuerSigningKeys = JsonWebKeySet.Create(await http.GetStringAsync(new Uri(gateAddress!, "/.well-known/proxygateway/jwks.json"))).GetSigningKeys();
                        context.Token = context.Request.Headers["X-Device-Assertion"];
                    },
                };
            }),
            user => $"{user.FindFirstValue("sub")} {user.FindFirstValue("role")} {user.FindFirstValue("scope")}");
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow - AssertionKeys.Notice);
        ProofSetting gate = await ProofSetting.StartAsync(
            others:
            [
                new RouteConfig
                {
                    RouteId = "hub",
                    ClusterId = "hub",
                    Match = new RouteMatch { Path = "/hub/{**rest}" },
                    Metadata = new Dictionary<string, string> { [DeviceAuthDefaults.HandshakeMetadata] = DeviceAuthDefaults.Proof, ["DeviceAuth.Scopes"] = "chat.use" },
                    Transforms = [new Dictionary<string, string> { ["DeviceAssertion"] = "X-Device-Assertion" }],
                },
            ],
            services: services => services.AddSingleton<IProxyConfigProvider>(new InMemoryConfigProvider(
                [], [new ClusterConfig { ClusterId = "hub", Destinations = new Dictionary<string, DestinationConfig> { ["local"] = new() { Address = app.Urls.First() } } }])),
            time: time,
            store: new InMemoryDeviceStore());
        _toDispose.Add(gate);
        gateAddress = gate.Address;
        await Eventually.HoldsAsync(
            async () => (await gate.Services.GetRequiredService<ISharedDocumentStore>().ListAsync(AssertionKeySet.Group, default)).Items.Count > 0, "the key is announced");
        time.Advance(AssertionKeys.Notice);

        await Eventually.HoldsAsync(async () => await StatusAsync(gate) == "pairing_required", "the gate has heard of the registry since");
        await IsRefusedAsync(gate.Address, transport);
        await gate.PairAsync(_device, "/hub/any");
        (HubConnection hub, Task ended) = await ConnectAsync(gate.Address, transport);
        (await hub.InvokeAsync<string>("WhoAmI")).ShouldBe($"{_device.Id} client chat.use");
        (await hub.StreamAsync<int>("Count").ToListAsync()).ShouldBe([1, 2, 3]);
        await gate.RemoveAsync(_device);

        await ended.WaitAsync(Eventually.Patience);
        await IsRefusedAsync(gate.Address, transport);
    }

    private async Task<string?> StatusAsync(ProofSetting gate)
    {
        using HttpClient client = gate.Client(_device);
        using HttpResponseMessage answer = await client.GetAsync(new Uri("/hub/any", UriKind.Relative));
        return (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["code"];
    }

    private async Task<WebApplication> StartAsync(Action<WebApplicationBuilder> configure, Func<ClaimsPrincipal, string> describe)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddAuthorization();
        builder.Services.AddSignalR();
        builder.Services.AddSingleton(describe);
        configure(builder);
        WebApplication app = builder.Build();
        app.UseAuthentication();
        app.UseAuthorization();
        app.MapHub<Chat>("/hub");
        await app.StartAsync();
        _toDispose.Add(app);
        return app;
    }

    private async Task IsRefusedAsync(Uri address, HttpTransportType transport)
    {
        HttpRequestException refused = await Should.ThrowAsync<HttpRequestException>(() => ConnectAsync(address, transport));
        refused.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
    }

    /// <summary>Connects as the device: each request has a proof, and a WebSocket one of its own.</summary>
    private async Task<(HubConnection Hub, Task Ended)> ConnectAsync(Uri address, HttpTransportType transport)
    {
        ProofHandler? proving = null;
        HubConnection hub = new HubConnectionBuilder().WithUrl(new Uri(address, "/hub"), transport, options =>
        {
            options.HttpMessageHandlerFactory = inner => proving = new ProofHandler(_device) { InnerHandler = inner };
            options.WebSocketFactory = async (context, cancellationToken) =>
            {
                var socket = new ClientWebSocket();
                socket.Options.SetRequestHeader("Device-Proof", _device.Prove("GET", context.Uri, proving!.Nonce));
                await socket.ConnectAsync(context.Uri, cancellationToken);
                return socket;
            };
        }).Build();
        _toDispose.Add(hub);
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        hub.Closed += _ =>
        {
            ended.TrySetResult();
            return Task.CompletedTask;
        };
        await hub.StartAsync();
        return (hub, ended.Task);
    }

    [Authorize]
    private sealed class Chat(Func<ClaimsPrincipal, string> describe) : Hub
    {
        public string WhoAmI() => describe(Context.User!);

#pragma warning disable CA1822 // a hub's method
        public async IAsyncEnumerable<int> Count()
#pragma warning restore CA1822
        {
            for (int i = 1; i <= 3; i++)
            {
                await Task.Yield();
                yield return i;
            }
        }
    }
}
