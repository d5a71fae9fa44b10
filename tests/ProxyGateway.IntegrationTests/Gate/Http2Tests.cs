using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>WebSockets over HTTP/2 (RFC 8441), by a client that nobody here wrote.</summary>
public sealed class Http2Tests(Http2Tests.Http2Gateway shared) : IClassFixture<Http2Tests.Http2Gateway>
{
    [Theory]
    [InlineData("ws")]
    [InlineData("wss")]
    public async Task A_device_is_admitted_over_HTTP2(string scheme)
    {
        using ClientWebSocket client = await ConnectAsync(new Ask(), scheme);

        JsonElement answer = await ReceiveAsync(client);
        answer.GetProperty("ok").GetBoolean().ShouldBeTrue(answer.ToString());
        await client.SendAsync("a request"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, default);
        byte[] echo = new byte[100];
        WebSocketReceiveResult received = await client.ReceiveAsync(echo, default);
        Encoding.UTF8.GetString(echo, 0, received.Count).ShouldBe("a request");
        await client.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", default);
        client.CloseStatusDescription.ShouldBe("bye");
        await ShouldEndAsync();
    }

    [Fact]
    public async Task A_refused_device_gets_the_reason_over_HTTP2()
    {
        using ClientWebSocket client = await ConnectAsync(new Ask { Nonce = "another" });

        JsonElement answer = await ReceiveAsync(client);
        answer.GetProperty("error").GetProperty("details").GetProperty("code").GetString().ShouldBe("DEVICE_AUTH_NONCE_MISMATCH");
        WebSocketReceiveResult close = await client.ReceiveAsync(new byte[100], default);
        close.MessageType.ShouldBe(WebSocketMessageType.Close);
        ((int)close.CloseStatus!, close.CloseStatusDescription).ShouldBe((1008, "device nonce mismatch"));
        await client.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, default);
        await ShouldEndAsync();
    }

    [Fact]
    public async Task A_client_may_reset_its_stream()
    {
        using (ClientWebSocket client = await OpenAsync())
        {
            (await ReceiveAsync(client)).GetProperty("event").GetString().ShouldBe("connect.challenge");
            client.Abort();
        }

        await ShouldEndAsync();
    }

    [Fact]
    public async Task A_backend_that_does_not_switch_is_502_with_nothing_from_the_backend()
    {
        shared.Gateway.Backend.Http = context => BackendTests.AnswerAsync(context, 200);
        try
        {
            using var client = new HttpClient();
            using var request = new HttpRequestMessage(HttpMethod.Connect, new Uri($"http://127.0.0.1:{shared.Gateway.Ports[2]}/"))
            {
                Version = new Version(2, 0),
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            };
            request.Headers.Protocol = "websocket";
            request.Headers.Add("Sec-WebSocket-Version", "13");

            using HttpResponseMessage response = await client.SendAsync(request);

            ((int)response.StatusCode).ShouldBe(502);
            (await response.Content.ReadAsStringAsync()).ShouldBeEmpty();
            response.Headers.Contains("X-Backend").ShouldBeFalse();
            await ShouldEndAsync();
        }
        finally
        {
            shared.Gateway.Backend.Http = null;
        }
    }

    [Theory]
    [InlineData("chat", true)]
    [InlineData("other", false)]
    public async Task A_client_over_HTTP2_gets_only_the_headers_that_complete_the_upgrade(string chosen, bool isOffered)
    {
        shared.Gateway.Backend.Http = context => BackendTests.SwitchTalkativelyAsync(context, chosen);
        try
        {
            using var client = new HttpClient();
            using var request = new HttpRequestMessage(HttpMethod.Connect, new Uri($"http://127.0.0.1:{shared.Gateway.Ports[2]}/"))
            {
                Version = new Version(2, 0),
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            };
            request.Headers.Protocol = "websocket";
            request.Headers.Add("Sec-WebSocket-Version", "13");
            request.Headers.Add("Sec-WebSocket-Protocol", "chat");

            using (HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
            {
                ((int)response.StatusCode).ShouldBe(200);
                response.ToString().ShouldNotContain("secret", Case.Insensitive);
                string[] expected = ["Date", .. isOffered ? (string[])["Sec-WebSocket-Protocol"] : [], "Server"];
                response.Headers.Concat(response.Content.Headers).Select(h => h.Key).Order(StringComparer.Ordinal).ShouldBe(expected);
            }

            await ShouldEndAsync();
        }
        finally
        {
            shared.Gateway.Backend.Http = null;
        }
    }

    private async Task<ClientWebSocket> OpenAsync(string scheme = "ws")
    {
        var client = new ClientWebSocket();
        client.Options.HttpVersion = new Version(2, 0);
        client.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        using var patience = new CancellationTokenSource(Eventually.Patience);
        var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null;
        int port = shared.Gateway.Ports[scheme == "wss" ? 3 : 2];
        await client.ConnectAsync(new Uri($"{scheme}://127.0.0.1:{port}/"), new HttpMessageInvoker(handler), patience.Token);
        return client;
    }

    private async Task<ClientWebSocket> ConnectAsync(Ask ask, string scheme = "ws")
    {
        ClientWebSocket client = await OpenAsync(scheme);
        (await ReceiveAsync(client)).GetProperty("event").GetString().ShouldBe("connect.challenge");
        await client.SendAsync(Encoding.UTF8.GetBytes(ask.SignedBy(new TestDevice())), WebSocketMessageType.Text, endOfMessage: true, default);
        return client;
    }

    private static async Task<JsonElement> ReceiveAsync(ClientWebSocket client)
    {
        using var patience = new CancellationTokenSource(Eventually.Patience);
        byte[] buffer = new byte[16 * 1024];
        WebSocketReceiveResult received = await client.ReceiveAsync(buffer, patience.Token);
        received.EndOfMessage.ShouldBeTrue();
        return JsonSerializer.Deserialize<JsonElement>(buffer.AsSpan(0, received.Count));
    }

    /// <summary>Nothing is left of it: neither a place among the handshakes nor a session.</summary>
    private async Task ShouldEndAsync() => await Eventually.HoldsAsync(
        () => Task.FromResult(shared.Gateway.Budgets.InUse == 0 && shared.Gateway.Sessions.Count == 0), "all is given back");

    public sealed class Http2Gateway : SharedGateway
    {
        private protected override Task<TestGateway> StartAsync() => TestGateway.StartAsync(Settings, kestrel: options =>
        {
            options.ListenLocalhost2();
            options.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(Certificate()).Protocols = HttpProtocols.Http2);
        });

        private static X509Certificate2 Certificate()
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=gateway", key, HashAlgorithmName.SHA256);
            using X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
            return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pfx), password: null);
        }
    }
}
