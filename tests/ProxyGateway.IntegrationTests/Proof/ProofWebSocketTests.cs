using System.Net;
using System.Net.WebSockets;
using System.Text;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>WebSockets on a Proof route, with the proof in a header or, as a browser's page has to send it, in the subprotocol.</summary>
public sealed class ProofWebSocketTests : IAsyncLifetime, IDisposable
{
    private readonly ProofSigner _device = ProofSigner.WithP256();
    private readonly HttpMessageInvoker _invoker = new(new SocketsHttpHandler());
    private readonly CancellationTokenSource _patience = new(Eventually.Patience);
    private ProofSetting _gate = null!;

    public async Task InitializeAsync() => _gate = await ProofSetting.StartAsync();

    public async Task DisposeAsync() => await _gate.DisposeAsync();

    public void Dispose()
    {
        _device.Dispose();
        _invoker.Dispose();
        _patience.Dispose();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_WebSocket_is_admitted_by_a_header_and_closed_by_a_removal(int version)
    {
        await _gate.PairAsync(_device);
        using ClientWebSocket socket = await ConnectAsync(version, "/socket", header: await ProveAsync(version, "/socket"));
        await EchoAsync(socket);
        socket.SubProtocol.ShouldBeNull();
        _gate.Heard.ShouldHaveSingleItem().ContainsKey("Device-Proof").ShouldBeFalse();

        await _gate.RemoveAsync(_device);

        (await CloseAsync(socket)).ShouldBe((1008, "device removed"));
    }

    [Theory]
    [InlineData(1, "/socket", null, "device-proof.v1")]
    [InlineData(2, "/socket", null, "device-proof.v1")]
    [InlineData(1, "/socket/chat", "chat", "chat")]
    [InlineData(2, "/socket/chat", "chat", "chat")]
    [InlineData(1, "/socket", "chat", "device-proof.v1")]
    public async Task A_page_sends_its_proof_as_a_subprotocol_of_which_the_backend_sees_nothing(int version, string path, string? own, string answered)
    {
        await _gate.PairAsync(_device);
        string proof = await ProveAsync(version, path);

        using ClientWebSocket socket = await ConnectAsync(version, path, protocols: ["device-proof.v1", "device-proof.v1." + proof, .. own is null ? [] : (string[])[own]]);

        socket.SubProtocol.ShouldBe(answered);
        await EchoAsync(socket);
        _gate.Heard.ShouldHaveSingleItem()["Sec-WebSocket-Protocol"].ToString().ShouldBe(own ?? "");
        await _gate.RemoveAsync(_device);
        (await CloseAsync(socket)).ShouldBe((1008, "device removed"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_page_reads_why_it_is_refused_in_the_close_frame(int version)
    {
        string old = _device.Prove("GET", Url(version, "/socket"), nonce: null);
        using ClientWebSocket withoutNonce = await ConnectAsync(version, "/socket", protocols: ["device-proof.v1", "device-proof.v1." + old]);
        withoutNonce.SubProtocol.ShouldBe("device-proof.v1");
        (int code, string reason) = await CloseAsync(withoutNonce);
        code.ShouldBe(1008);
        reason.ShouldStartWith("device nonce required: ");

        string proof = _device.Prove("GET", Url(version, "/socket"), reason["device nonce required: ".Length..]);
        using ClientWebSocket unpaired = await ConnectAsync(version, "/socket", protocols: ["device-proof.v1", "device-proof.v1." + proof]);
        (code, reason) = await CloseAsync(unpaired);
        code.ShouldBe(1008);
        reason.ShouldMatch(@"^pairing required: device is not approved yet \(requestId: .+\)$");

        string forged = (await ProveAsync(version, "/socket"))[..^4] + "AAAA";
        using ClientWebSocket refused = await ConnectAsync(version, "/socket", protocols: ["device-proof.v1", "device-proof.v1." + forged]);
        (await CloseAsync(refused)).ShouldBe((1008, "device signature invalid"));

        _gate.Store.IsAvailable = false;
        using ClientWebSocket unavailable = await ConnectAsync(version, "/socket", protocols: ["device-proof.v1", "device-proof.v1." + await ProveAsync(version, "/socket")]);
        (await CloseAsync(unavailable)).ShouldBe((1013, "registry unavailable"));
        _gate.State.Requests.ShouldBe(0);
    }

    [Fact]
    public async Task Exactly_one_proof_is_taken()
    {
        await _gate.PairAsync(_device);
        string one = await ProveAsync(1, "/socket");
        string two = await ProveAsync(1, "/socket");

        using ClientWebSocket twice = await ConnectAsync(1, "/socket", protocols: ["device-proof.v1", "device-proof.v1." + one, "device-proof.v1." + two]);
        (await CloseAsync(twice)).ShouldBe((1008, "invalid handshake: the proof's jwt"));
        using ClientWebSocket both = await ConnectAsync(1, "/socket", header: one, protocols: ["device-proof.v1", "device-proof.v1." + two]);
        (await CloseAsync(both)).ShouldBe((1008, "invalid handshake: the proof's jwt"));
        (await StatusAsync("/socket", protocols: ["device-proof.v1." + one])).ShouldBe(HttpStatusCode.Unauthorized);
        (await StatusAsync("/socket", protocols: ["device-proof.v1"])).ShouldBe(HttpStatusCode.Forbidden);
        (await StatusAsync("/socket", protocols: ["chat"])).ShouldBe(HttpStatusCode.Forbidden);
        _gate.State.Requests.ShouldBe(0);
    }

    [Fact]
    public async Task An_upgrade_with_the_header_is_refused_by_a_status()
    {
        (await StatusAsync("/socket", header: _device.Prove("GET", Url(1, "/socket"), nonce: null))).ShouldBe(HttpStatusCode.Unauthorized);
        (await StatusAsync("/socket", header: await ProveAsync(1, "/socket"))).ShouldBe(HttpStatusCode.Forbidden);
        _gate.State.Requests.ShouldBe(0);
    }

    // It is admitted: nothing of the answer is kept from it.
    [Fact]
    public async Task A_backend_that_does_not_switch_answers_the_device_itself()
    {
        await _gate.PairAsync(_device, "/tea");
        (await StatusAsync("/tea", header: await ProveAsync(1, "/tea"))).ShouldBe((HttpStatusCode)418);
    }

    private async Task<ClientWebSocket> ConnectAsync(int version, string path, string? header = null, params string[] protocols)
    {
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        socket.Options.HttpVersion = new Version(version, version == 1 ? 1 : 0);
        socket.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        if (header is not null)
            socket.Options.SetRequestHeader("Device-Proof", header);
        foreach (string protocol in protocols)
            socket.Options.AddSubProtocol(protocol);
        try
        {
            var address = new UriBuilder(Url(version, path)) { Scheme = "ws" };
            await socket.ConnectAsync(address.Uri, _invoker, _patience.Token);
            return socket;
        }
        catch (WebSocketException) when (socket.HttpStatusCode != default(HttpStatusCode))
        {
            return socket;
        }
    }

    private async Task<HttpStatusCode> StatusAsync(string path, string? header = null, params string[] protocols)
    {
        using ClientWebSocket socket = await ConnectAsync(1, path, header, protocols);
        return socket.HttpStatusCode;
    }

    private async Task<string> ProveAsync(int version, string path) => _device.Prove("GET", Url(version, path), await _gate.NonceAsync());

    private Uri Url(int version, string path) => new(version == 1 ? _gate.Address : _gate.Http2Address, path);

    private async Task EchoAsync(ClientWebSocket socket)
    {
        await socket.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, _patience.Token);
        byte[] buffer = new byte[16];
        WebSocketReceiveResult received = await socket.ReceiveAsync(buffer, _patience.Token);
        Encoding.UTF8.GetString(buffer, 0, received.Count).ShouldBe("hello");
    }

    private async Task<(int Code, string Reason)> CloseAsync(ClientWebSocket socket)
    {
        socket.State.ShouldBe(WebSocketState.Open, socket.HttpStatusCode.ToString());
        WebSocketReceiveResult close = await socket.ReceiveAsync(new byte[16], _patience.Token);
        close.MessageType.ShouldBe(WebSocketMessageType.Close);
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, _patience.Token);
        return ((int)close.CloseStatus!, close.CloseStatusDescription ?? "");
    }
}
