using System.Net;
using System.Net.WebSockets;
using System.Security.Claims;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>The scheme DeviceProof in an application without a proxy.</summary>
public sealed class SchemeTests : IAsyncLifetime, IDisposable
{
    private static readonly Operator Ops = new("ops");

    private readonly ProofSigner _device = ProofSigner.WithP256();
    private readonly InMemoryDeviceStore _store = new();
    private readonly CancellationTokenSource _patience = new(Eventually.Patience);
    private WebApplication _app = null!;
    private HttpClient _client = null!;
    private int _answered;

    private DeviceRegistry Registry => _app.Services.GetRequiredService<DeviceRegistry>();

    private IDeviceConnections Connections => _app.Services.GetRequiredService<IDeviceConnections>();

    private PairingRules Rules => _app.Services.GetRequiredService<IDeviceAuthSettings>().Current.PairingRules;

    private Uri Address => new(_app.Urls.First());

    public async Task InitializeAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services
            .AddDeviceAuthorization(options => options with { Policy = new PairingPolicy { AutoApprove = [] }, Limits = options.Limits with { FailuresPerAddress = 1000 } })
            .AddInMemoryStore(_store);
        builder.Services.AddAuthentication(DeviceProofDefaults.AuthenticationScheme).AddDeviceProof(options => options.Audience = Audience.Parse("notes"));
        builder.Services.AddAuthorizationBuilder().AddPolicy("CanWrite", policy => policy.RequireClaim(DeviceClaimTypes.Scope, "notes.write"));
        _app = builder.Build();
        _app.UseAuthentication();
        _app.UseAuthorization();
        _app.UseWebSockets();
        _app.Use(next => context =>
        {
            Interlocked.Increment(ref _answered);
            return next(context);
        });
        _app.MapGet("/", () => "public");
        _app.MapGet("/whoami", (ClaimsPrincipal user) => string.Join(' ', user.Claims.Select(c => c.Value).Append(user.Identity?.AuthenticationType))).RequireAuthorization();
        _app.MapGet("/notes", () => "written").RequireAuthorization("CanWrite");
        _app.MapGet("/events", async context =>
        {
            await context.Response.WriteAsync(".", context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            await Task.Delay(Timeout.InfiniteTimeSpan, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }).RequireAuthorization();
        _app.Map("/socket", async context =>
        {
            using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", context.RequestAborted);
        }).RequireAuthorization();
        await _app.StartAsync();
        _client = new HttpClient(new ProofHandler(_device) { InnerHandler = new SocketsHttpHandler() }) { BaseAddress = Address, Timeout = Eventually.Patience };
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }

    public void Dispose()
    {
        _device.Dispose();
        _patience.Dispose();
    }

    [Fact]
    public async Task What_needs_no_authorization_needs_no_proof_and_the_rest_does()
    {
        using var plain = new HttpClient { BaseAddress = Address };
        (await plain.GetStringAsync(new Uri("/", UriKind.Relative))).ShouldBe("public");
        using HttpResponseMessage answer = await plain.GetAsync(new Uri("/whoami", UriKind.Relative));

        await ProofSetting.ProblemOf(answer, HttpStatusCode.Forbidden, "device_proof_required");
        answer.Headers.GetValues("Device-Nonce").Single().ShouldNotBeEmpty();
        _answered.ShouldBe(1);
    }

    [Fact]
    public async Task An_approved_device_is_the_user_in_the_applications_audience()
    {
        await PairAsync("/whoami", audience: "notes");

        (await _client.GetStringAsync(new Uri("/whoami", UriKind.Relative))).ShouldBe($"{_device.Id} client notes DeviceProof");
        await Eventually.HoldsAsync(() => Task.FromResult(Connections.Count == 0), "the session is over with the request");
    }

    [Fact]
    public async Task A_policy_refuses_what_the_device_may_not_do()
    {
        await PairAsync("/whoami");
        using HttpResponseMessage answer = await _client.GetAsync(new Uri("/notes", UriKind.Relative));
        await ProofSetting.ProblemOf(answer, HttpStatusCode.Forbidden, "insufficient_scope");

        using var writer = new HttpClient(new ProofHandler(_device, new ProofOptions { Scopes = ScopeSet.Of("notes.write") }) { InnerHandler = new SocketsHttpHandler() }) { BaseAddress = Address };
        await PairAsync("/notes", writer);
        (await writer.GetStringAsync(new Uri("/notes", UriKind.Relative))).ShouldBe("written");
    }

    [Fact]
    public async Task A_proof_is_used_once_and_a_bad_one_is_refused()
    {
        await PairAsync("/whoami");
        using var plain = new HttpClient { BaseAddress = Address };
        using HttpResponseMessage asked = await plain.GetAsync(new Uri("/", UriKind.Relative));
        string nonce = asked.Headers.GetValues("Device-Nonce").Single();
        string proof = _device.Prove("GET", new Uri(Address, "/whoami"), nonce);

        using HttpResponseMessage first = await SendAsync(proof);
        using HttpResponseMessage second = await SendAsync(proof);
        using HttpResponseMessage other = await SendAsync(_device.Prove("GET", new Uri(Address, "/other"), nonce));
        using HttpResponseMessage stale = await SendAsync(_device.Prove("GET", new Uri(Address, "/whoami"), nonce: null));

        first.StatusCode.ShouldBe(HttpStatusCode.OK);
        await ProofSetting.ProblemOf(second, HttpStatusCode.Unauthorized, "proof_already_used");
        ((string?)(await ProofSetting.ProblemOf(other, HttpStatusCode.Unauthorized, "invalid_dpop_proof"))["claim"]).ShouldBe("htu");
        await ProofSetting.ProblemOf(stale, HttpStatusCode.Unauthorized, "use_dpop_nonce");

        async Task<HttpResponseMessage> SendAsync(string text)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("/whoami", UriKind.Relative));
            request.Headers.Add("Device-Proof", text);
            return await plain.SendAsync(request);
        }
    }

    [Fact]
    public async Task A_removal_ends_a_request_under_way()
    {
        await PairAsync("/events");
        using HttpResponseMessage answer = await _client.GetAsync(new Uri("/events", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        Stream stream = await answer.Content.ReadAsStreamAsync();
        (await stream.ReadAsync(new byte[1])).ShouldBe(1);
        Connections.List().ShouldHaveSingleItem().Device.ShouldBe(_device.Id);

        (await Registry.RemoveAsync(_device.Id, Ops, Rules, default)).ShouldBeTrue();

        await Should.ThrowAsync<IOException>(async () => _ = await stream.ReadAsync(new byte[1], _patience.Token));
        await Eventually.HoldsAsync(() => Task.FromResult(Connections.Count == 0), "its session is over");
    }

    [Fact]
    public async Task A_page_opens_a_WebSocket_by_the_subprotocol_and_reads_why_it_may_not()
    {
        using ClientWebSocket unknown = await ConnectAsync();
        WebSocketReceiveResult refused = await unknown.ReceiveAsync(new byte[16], _patience.Token);
        ((int?)refused.CloseStatus, refused.CloseStatusDescription).ShouldBe((1008, refused.CloseStatusDescription));
        refused.CloseStatusDescription.ShouldNotBeNull().ShouldStartWith("pairing required:");
        await PairAsync("/whoami");

        using ClientWebSocket known = await ConnectAsync();
        known.SubProtocol.ShouldBe("device-proof.v1");
        (await known.ReceiveAsync(new byte[16], _patience.Token)).CloseStatusDescription.ShouldBe("bye");

        async Task<ClientWebSocket> ConnectAsync()
        {
            using var plain = new HttpClient();
            using HttpResponseMessage asked = await plain.GetAsync(new Uri(Address, "/.well-known/proxygateway/nonce"));
            var url = new UriBuilder(new Uri(Address, "/socket")) { Scheme = "ws" };
            var socket = new ClientWebSocket();
            socket.Options.AddSubProtocol("device-proof.v1");
            socket.Options.AddSubProtocol("device-proof.v1." + _device.Prove("GET", url.Uri, asked.Headers.GetValues("Device-Nonce").Single()));
            await socket.ConnectAsync(url.Uri, _patience.Token);
            return socket;
        }
    }

    [Fact]
    public async Task Nobody_is_admitted_while_the_registry_is_unavailable()
    {
        await PairAsync("/whoami");
        _store.IsAvailable = false;
        using HttpResponseMessage answer = await _client.GetAsync(new Uri("/whoami", UriKind.Relative));
        await ProofSetting.ProblemOf(answer, HttpStatusCode.ServiceUnavailable, "registry_unavailable");
    }

    private async Task PairAsync(string path, HttpClient? client = null, string audience = "notes")
    {
        using HttpResponseMessage refused = await (client ?? _client).GetAsync(new Uri(path, UriKind.Relative));
        JsonNode problem = await ProofSetting.ProblemOf(refused, HttpStatusCode.Forbidden, "pairing_required");
        RequestId id = RequestId.Parse((string)problem["requestId"]!);
        (await Registry.FindRequestAsync(id, default)).ShouldNotBeNull().Audience.ToString().ShouldBe(audience);
        (await Registry.ApproveAsync(id, new GrantTerms(), Ops, Rules, default)).ShouldNotBeNull().Outcome.ShouldBe(DecisionOutcome.Done);
    }
}
