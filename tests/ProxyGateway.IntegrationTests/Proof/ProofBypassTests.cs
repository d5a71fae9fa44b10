using System.Net.Sockets;
using System.Text;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>Requests by which somebody could try to come past the gate: whatever they look like, the backend hears of none that no proof is for.</summary>
public sealed class ProofBypassTests(ProofBypassTests.Paired gate) : IClassFixture<ProofBypassTests.Paired>
{
    private const string Page = "https://page.example";

    [Theory]
    [InlineData("GET /work", "")]
    [InlineData("OPTIONS /work", "Origin: https://page.example\nAccess-Control-Request-Method: GET")]
    [InlineData("OPTIONS /work", "Origin: https://page.example\nAccess-Control-Request-Method: GET\nAccess-Control-Request-Method: GET")]
    [InlineData("OPTIONS /work", "Access-Control-Request-Method: GET")]
    [InlineData("OPTIONS *", "Device-Proof: {proof}")]
    [InlineData("GET /work", "Origin: https://page.example\nAccess-Control-Request-Method: GET")]
    [InlineData("HEAD /work", "Device-Proof: {proof}")]
    [InlineData("get /work", "Device-Proof: {proof}")]
    [InlineData("GET http://127.0.0.1/work", "Device-Proof: {proof}")]
    [InlineData("GET /work/", "Device-Proof: {proof}")]
    [InlineData("GET /WORK", "Device-Proof: {proof}")]
    [InlineData("GET /work", "Device-Proof: {proof}, {proof}")]
    [InlineData("GET /work", "Device-Proof:\nDevice-Proof: {proof}")]
    [InlineData("GET /work", "Device-Proof: \"{proof}\"")]
    [InlineData("GET /work", "Device_Proof: {proof}")]
    [InlineData("GET /work", "DPoP: {proof}")]
    [InlineData("GET /work", "Authorization: DPoP {proof}")]
    [InlineData("GET /work", "Sec-WebSocket-Protocol: device-proof.v1, device-proof.v1.{proof}")]
    [InlineData("GET /work", "Connection: Upgrade\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAAP__\nDevice-Proof: {proof}")]
    [InlineData("GET /work", "Connection: Upgrade\nUpgrade: websocket\nDevice-Proof: {proof}")]
    [InlineData("GET /work", "{upgrade}\nSec-WebSocket-Protocol: device-proof.v1.{proof}")]
    [InlineData("GET /work", "{upgrade}\nSec-WebSocket-Protocol: device-proof.v1\nSec-WebSocket-Protocol: device-proof.v1.{proof}\nDevice-Proof: {proof}")]
    [InlineData("GET /work", "{upgrade}\nSec-WebSocket-Protocol: device-proof.v1, device-proof.v1.{proof}, device-proof.v1.{proof}")]
    [InlineData("CONNECT 127.0.0.1:80", "Device-Proof: {proof}")]
    [InlineData("POST /work", "Transfer-Encoding: chunked\nTrailer: Device-Proof\n\n0\nDevice-Proof: {post}")]
    [InlineData("GET /.well-known%2fproxygateway/nonce", "")]
    [InlineData("GET /%2ewell-known/proxygateway/nonce", "")]
    [InlineData("GET //.well-known/proxygateway/nonce", "")]
    [InlineData("GET /.WELL-KNOWN/ProxyGateway/other", "Device-Proof: {proof}")]
    public async Task A_request_that_no_proof_is_for_does_not_reach_the_backend(string line, string headers)
    {
        int before = gate.Setting.State.Requests;

        string answer = await SendAsync($"{line} HTTP/1.1\nHost: 127.0.0.1\n{headers}\n\n");

        answer.ShouldStartWith("HTTP/1.1 ");
        answer[9..12].ShouldNotBe("500");
        if (line != "GET /%2ewell-known/proxygateway/nonce") // the server reads it as the endpoint
            answer[9..12].ShouldNotBe("200");
        gate.Setting.State.Requests.ShouldBe(before);
    }

    [Fact]
    public async Task A_proof_is_for_one_request_of_those_on_a_connection()
    {
        int before = gate.Setting.State.Requests;

        string answer = await SendAsync("GET /work HTTP/1.1\nHost: 127.0.0.1\nDevice-Proof: {proof}\n\nGET /other HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n", toEnd: true);

        answer.ShouldStartWith("HTTP/1.1 200 ");
        answer.ShouldContain("HTTP/1.1 403 ");
        gate.Setting.State.Requests.ShouldBe(before + 1);
    }

    [Fact]
    public async Task A_backend_does_not_hear_of_another_method_or_another_path_than_the_proof_is_for()
    {
        gate.Setting.Heard.Clear();

        string answer = await SendAsync(
            "GET /work HTTP/1.1\nHost: 127.0.0.1\nX-HTTP-Method-Override: DELETE\nX-Original-URL: /admin\nX-Rewrite-URL: /admin\nDevice-Proof: {proof}\nConnection: close, X-Device-Id\n\n");

        answer.ShouldStartWith("HTTP/1.1 200 ");
        gate.Setting.Heard.ShouldHaveSingleItem().Keys.ShouldNotContain(name => name.StartsWith("X-HTTP", StringComparison.OrdinalIgnoreCase) || name.EndsWith("URL", StringComparison.OrdinalIgnoreCase));
        gate.Setting.Heard.Single().ShouldContainKey("X-Device-Id");
    }

    private async Task<string> SendAsync(string request, bool toEnd = false)
    {
        string nonce = await gate.Setting.NonceAsync();
        string proof = gate.Device.Prove("GET", new Uri(gate.Setting.Address, "/work"), nonce);
        request = request
            .Replace("{post}", gate.Device.Prove("POST", new Uri(gate.Setting.Address, "/work"), nonce), StringComparison.Ordinal)
            .Replace("{proof}", proof, StringComparison.Ordinal)
            .Replace("{upgrade}", "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", StringComparison.Ordinal)
            .Replace("\n", "\r\n", StringComparison.Ordinal);
        using var socket = new TcpClient();
        await socket.ConnectAsync(gate.Setting.Address.Host, gate.Setting.Address.Port);
        NetworkStream stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(request));
        using var reader = new StreamReader(stream, Encoding.ASCII);
        return (toEnd ? await reader.ReadToEndAsync().WaitAsync(Eventually.Patience) : await reader.ReadLineAsync().WaitAsync(Eventually.Patience)) ?? "";
    }

    public sealed class Paired : IAsyncLifetime
    {
        internal ProofSigner Device { get; } = ProofSigner.WithEd25519();

        internal ProofSetting Setting { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            Setting = await ProofSetting.StartAsync(options => options with { AllowedOrigins = [Page] });
            await Setting.PairAsync(Device);
        }

        public async Task DisposeAsync()
        {
            await Setting.DisposeAsync();
            Device.Dispose();
        }
    }
}
