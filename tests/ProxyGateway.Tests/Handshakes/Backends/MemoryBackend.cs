using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.Tests.Handshakes.InMemory;

namespace ProxyGateway.Tests.Handshakes.Backends;

/// <summary>
/// An OpenClaw gateway in memory, as the gate reaches it for approvals. It answers each call with the message that the test has for it, where <c>@</c> stands
/// for the call's id; and has the request <c>r1</c> of one device unless the test says otherwise.
/// </summary>
internal sealed class MemoryBackend : HttpMessageHandler
{
    private readonly HttpMessageInvoker _client;
    private readonly string _device;

    public MemoryBackend(string device)
    {
        _device = device;
        _client = new HttpMessageInvoker(this, disposeHandler: false);
        AnswerHonestly();
    }

    /// <summary>What the backend begins with.</summary>
    public string Challenge { get; set; } = """{"type":"event","event":"connect.challenge","payload":{"nonce":"n"}}""";

    /// <summary>Method -> the messages that answer a call; none: it hangs.</summary>
    public Dictionary<string, string[]> Answers { get; } = [];

    /// <summary>Called when a call of this method has come, and before it is answered.</summary>
    public Func<string, Task> OnCall { get; set; } = _ => Task.CompletedTask;

    /// <summary>The calls, as in <c>device.pair.approve {"requestId":"r1"}</c>.</summary>
    public List<string> Calls { get; } = [];

    /// <summary>The requests for a connection.</summary>
    public List<HttpRequestMessage> Requests { get; } = [];

    /// <summary>The other ends of the connections.</summary>
    public List<Endpoint> Connections { get; } = [];

    /// <summary>Whether it accepts connections.</summary>
    public bool IsReachable { get; set; } = true;

    public BackendDestination Destination(string address = "ws://127.0.0.1:1/", string? host = null) => new("agent", "a", new Uri(address), host, _client);

    public void AnswerHonestly()
    {
        Answers["connect"] = ["""{"type":"res","id":"@","ok":true,"payload":{}}"""];
        Answers["device.pair.list"] =
            [$$"""{"type":"res","id":"@","ok":true,"payload":{"pending":[{"requestId":"r1","deviceId":"{{_device}}","role":"operator","roles":["operator"],"scopes":["operator.read"]}],"paired":[]} }"""];
        Answers["device.pair.approve"] = [$$"""{"type":"res","id":"@","ok":true,"payload":{"requestId":"r1","device":{"deviceId":"{{_device}}","role":"operator","roles":["operator"],"scopes":["operator.read"]} } }"""];
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Requests.Add(request);
        if (!IsReachable)
            throw new HttpRequestException("evil \u001b[31m");
        (SocketStream ours, SocketStream theirs) = SocketStream.Pair();
        var connection = new Endpoint(theirs, isMasking: false);
        Connections.Add(connection);
        _ = Task.Run(() => ServeAsync(connection), CancellationToken.None);
        var response = new HttpResponseMessage(HttpStatusCode.SwitchingProtocols) { Content = new StreamOf(ours) };
        response.Headers.Add("Connection", "Upgrade");
        response.Headers.Add("Upgrade", "websocket");
        string key = request.Headers.GetValues("Sec-WebSocket-Key").Single() + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455 §4.2.2
        response.Headers.Add("Sec-WebSocket-Accept", Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key))));
        return Task.FromResult(response);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _client.Dispose();
        base.Dispose(disposing);
    }

    private async Task ServeAsync(Endpoint connection)
    {
        await connection.SendAsync(Challenge);
        while (await connection.ReceiveAsync() is var frame && frame.StartsWith("Text ", StringComparison.Ordinal))
        {
            using JsonDocument call = JsonDocument.Parse(frame[5..]);
            string method = call.RootElement.GetProperty("method").GetString()!;
            Calls.Add($"{method} {call.RootElement.GetProperty("params").GetRawText()}");
            await OnCall(method);
            string[] answers = call.RootElement.GetProperty("type").GetString() == "req" ? Answers[method] : ["""{"type":"res","id":"@","ok":false}"""];
            foreach (string answer in answers)
            {
                if (answer == "end")
                    await connection.CloseAsync();
                else
                    await connection.SendAsync(answer.Replace("@", call.RootElement.GetProperty("id").GetString(), StringComparison.Ordinal));
            }
        }
    }

    private sealed class StreamOf(Stream stream) : HttpContent
    {
        protected override Stream CreateContentReadStream(CancellationToken cancellationToken) => stream;

        protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult(stream);

        protected override Task SerializeToStreamAsync(Stream to, TransportContext? context) => throw new NotSupportedException();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
