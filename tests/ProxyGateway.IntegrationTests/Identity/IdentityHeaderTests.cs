using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Identity;

/// <summary>The backend learns from the gate which device it is, and from nobody else.</summary>
public sealed class IdentityHeaderTests : IAsyncLifetime
{
    private const string Forged = "forged";

    private static readonly string[] Names =
        ["X-Device-Id", "X-Device-Role", "X-Device-Scopes", "X-Device-Audience", "Device-Proof", "Device-Session", "Device-Nonce"];

    private static readonly string[] Spellings =
        [.. Names.SelectMany(name => (string[])[name, name.ToUpperInvariant(), name.Replace('-', '_'), name.Replace('-', '_').ToLowerInvariant(), name.Replace("Device-", "Device_", StringComparison.Ordinal), name.Replace('-', '.')]).Distinct(StringComparer.Ordinal)];

    private static readonly string[] Admitted =
        ["X-Device-Audience: mail", $"X-Device-Id: {AnyDevice.Claim.Device}", "X-Device-Role: client", "X-Device-Scopes: agent.read agent.use"];

    private TestGateway? _gateway;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_gateway is not null)
            await _gateway.DisposeAsync();
    }

    // RequestHeaders names them, as an operator could by mistake.
    [Theory]
    [InlineData("/open", false)]
    [InlineData("/open", true)]
    [InlineData("/allow", false)]
    [InlineData("/connect", true)]
    [InlineData("/own", false)]
    [InlineData("/own", true)]
    public async Task A_clients_copies_do_not_reach_the_backend_on_any_route(string path, bool isUpgrade)
    {
        TestGateway gateway = await StartAsync();
        foreach (string[] spellings in Spellings.Chunk(40))
        {
            IHeaderDictionary heard = await IdentitySetting.SendAsync(gateway, path, isUpgrade, [.. spellings.Select(name => $"{name}: {Forged}"), "X-Other: kept"]);

            heard["X-Other"].ToString().ShouldBe("kept");
            heard.Where(h => h.Value.ToString().Contains(Forged, StringComparison.Ordinal)).Select(h => h.Key).ShouldBeEmpty();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_backend_gets_the_admitted_device(bool isUpgrade)
    {
        TestGateway gateway = await StartAsync();

        DevicesOf(await IdentitySetting.SendAsync(gateway, "/own", isUpgrade, "X-Device-Id: forged", "x_device_role: forged")).ShouldBe(Admitted);
    }

    [Theory]
    [InlineData("/proof", "Device-Proof", "agent.use")]
    [InlineData("/dpop", "DPoP", "")]
    public async Task The_backend_gets_the_device_that_has_proved_itself_and_not_its_proof(string path, string header, string scopes)
    {
        TestGateway gateway = await StartAsync();
        HeaderDictionary? heard = null;
        gateway.Backend.Http = context =>
        {
            heard = new HeaderDictionary(context.Request.Headers.ToDictionary(StringComparer.OrdinalIgnoreCase));
            return Task.CompletedTask;
        };
        using ProofSigner signer = ProofSigner.WithP256();
        using var http = new HttpClient(new ProofHandler(signer) { Header = header, InnerHandler = new HttpClientHandler() });
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{gateway.Port}{path}");
        foreach (string spelling in Spellings.Where(s => !s.Equals(header, StringComparison.OrdinalIgnoreCase)))
            request.Headers.TryAddWithoutValidation(spelling, Forged);

        using HttpResponseMessage answer = await http.SendAsync(request);

        answer.StatusCode.ShouldBe(HttpStatusCode.OK, await answer.Content.ReadAsStringAsync());
        DevicesOf(heard.ShouldNotBeNull()).ShouldBe(["X-Device-Audience: mail", $"X-Device-Id: {signer.Id}", "X-Device-Role: client", $"X-Device-Scopes: {scopes}"]);
        heard.Keys.ShouldNotContain("DPoP");
    }

    [Theory]
    [InlineData("/open", false)]
    [InlineData("/allow", false)]
    [InlineData("/connect", true)] // the device is known only after the backend has been opened
    public async Task Where_no_device_is_known_the_backend_gets_none(string path, bool isUpgrade)
    {
        TestGateway gateway = await StartAsync();

        DevicesOf(await IdentitySetting.SendAsync(gateway, path, isUpgrade)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_routes_own_transforms_cannot_change_the_device()
    {
        TestGateway gateway = await StartAsync(
            new() { ["RequestHeadersCopy"] = "false" },
            new() { ["RequestHeader"] = "X-Device-Id", ["Set"] = Forged },
            new() { ["RequestHeader"] = "x_device_id", ["Append"] = Forged },
            new() { ["RequestHeaderRemove"] = "X-Device-Role" },
            new() { ["RequestHeadersAllowed"] = "X-Device-Scopes;X-Other" });

        DevicesOf(await IdentitySetting.SendAsync(gateway, "/own", isUpgrade: false, "X-Device-Scopes: forged")).ShouldBe(Admitted);
        DevicesOf(await IdentitySetting.SendAsync(gateway, "/open", isUpgrade: false)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("/open")]
    [InlineData("/allow")]
    [InlineData("/own")]
    public async Task A_trailer_does_not_reach_the_backend(string path)
    {
        TestGateway gateway = await StartAsync();
        var trailers = new TaskCompletionSource<string[]>();
        gateway.Backend.Http = async context =>
        {
            await context.Request.Body.CopyToAsync(Stream.Null);
            trailers.SetResult([.. context.Features.Get<IHttpRequestTrailersFeature>()?.Trailers.Keys ?? []]);
        };
        using var client = new TcpClient("127.0.0.1", gateway.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTE: trailers\r\nTrailer: X-Device-Id, x_device_id\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "1\r\na\r\n0\r\nX-Device-Id: forged\r\nx_device_id: forged\r\n\r\n"));
        using var reader = new StreamReader(client.GetStream());

        (await reader.ReadToEndAsync()).ShouldStartWith("HTTP/1.1 200");

        (await trailers.Task).ShouldBeEmpty();
    }

    // A server between gate and backend removes what this header names (RFC 9110 §7.6.1).
    [Fact]
    public async Task A_client_cannot_name_the_headers_as_those_of_its_connection()
    {
        TestGateway gateway = await StartAsync();

        IHeaderDictionary heard = await IdentitySetting.SendAsync(gateway, "/own", isUpgrade: false, "Connection: close, X-Device-Id");

        heard.Connection.ToString().ShouldNotContain("Device");
        DevicesOf(heard).ShouldBe(Admitted);
    }

    private static string[] DevicesOf(IHeaderDictionary headers) =>
    [
        .. headers.Where(h => h.Key.Contains("device", StringComparison.OrdinalIgnoreCase)).Select(h => $"{h.Key}: {h.Value}").Order(StringComparer.Ordinal),
    ];

    private async Task<TestGateway> StartAsync(params Dictionary<string, string>[] transforms) =>
        _gateway = await IdentitySetting.StartAsync(transforms, transforms, Spellings);
}
