using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Tests.Handshakes.InMemory;

/// <summary>A request to https://gate.example without a server, and what its client gets.</summary>
internal sealed class MemoryRequest : HttpResponseFeature, IHttpRequestLifetimeFeature, IHttpUpgradeFeature, IDisposable
{
    private readonly CancellationTokenSource _aborted = new();
    private readonly MemoryStream _body = new();
    private readonly Stack<(Func<object, Task> Callback, object State)> _starting = [];
    private readonly Stack<(Func<object, Task> Callback, object State)> _completed = [];
    private readonly TaskCompletionSource _accepted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SocketStream _ours;
    private readonly Endpoint _client;

    public MemoryRequest(string method = "POST", string target = "/agent/work?x=1")
    {
        (_ours, SocketStream theirs) = SocketStream.Pair();
        _client = new Endpoint(theirs, isMasking: true);
        Http.Features.Set<IHttpResponseFeature>(this);
        Http.Features.Set<IHttpRequestLifetimeFeature>(this);
        Http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget = target;
        Http.Request.Method = method;
        Http.Request.Scheme = "https";
        Http.Request.Host = new HostString("gate.example");
        Http.Request.Path = target.Split('?')[0];
        Http.Request.Protocol = "HTTP/1.1";
        Http.Response.Body = _body;
    }

    public DefaultHttpContext Http { get; } = new();

    public bool IsUpgradableRequest => true;

    /// <summary>Whether the first bytes of an answer were sent before.</summary>
    public bool HasBegun { get; init; }

    public override bool HasStarted => HasBegun;

    public bool IsAborted { get; private set; }

    public CancellationToken RequestAborted
    {
        get => _aborted.Token;
        set => throw new NotSupportedException();
    }

    /// <summary>How a browser's WebSocket was closed by the gate; null if it was not.</summary>
    public string? Close { get; private set; }

    /// <summary>
    /// The answer on one line: status and code, challenge, when to come again, and the members of the body that are no words, as in
    /// <c>403 device_blocked; reason: blocked; retryable: false</c>.
    /// </summary>
    public string Answer
    {
        get
        {
            string answer = $"{Http.Response.StatusCode}";
            if (_body.ToArray() is not { Length: > 0 } body)
                return answer;
            JsonObject problem = JsonNode.Parse(body)!.AsObject();
            string code = (string)problem["code"]!;
            Http.Response.ContentType.ShouldBe("application/problem+json");
            Http.Response.ContentLength.ShouldBe(body.Length);
            ((string?)Http.Response.Headers.CacheControl).ShouldBe("no-store");
            ((string?)problem["type"], (int?)problem["status"]).ShouldBe(($"urn:proxygateway:problem:{code.Replace('_', '-')}", Http.Response.StatusCode));
            ((string?)problem["title"]).ShouldNotBeNullOrWhiteSpace();
            ((string?)problem["detail"]).ShouldNotBeNullOrWhiteSpace();
            IEnumerable<string> members = problem.Where(m => m.Key is not ("type" or "title" or "status" or "detail" or "code")).Select(m => $"; {m.Key}: {m.Value}");
            return $"{answer} {code}{Header("WWW-Authenticate")}{Header("Retry-After")}{string.Concat(members)}";
        }
    }

    /// <summary>What the answer says to people.</summary>
    public string Words => JsonNode.Parse(_body.ToArray())! is var problem ? $"{problem["title"]} {problem["detail"]}" : "";

    /// <summary>The body.</summary>
    public string Text => System.Text.Encoding.UTF8.GetString(_body.ToArray());

    /// <summary>Makes it a WebSocket upgrade.</summary>
    /// <param name="protocols">The subprotocols that it offers, each line of them.</param>
    public MemoryRequest Upgrading(params string[] protocols)
    {
        Http.Features.Set<IHttpUpgradeFeature>(this);
        Http.Request.Method = "GET";
        Http.Request.Headers.Connection = "Upgrade";
        Http.Request.Headers.Upgrade = "websocket";
        Http.Request.Headers.SecWebSocketVersion = "13";
        Http.Request.Headers.SecWebSocketKey = "dGhlIHNhbXBsZSBub25jZQ==";
        if (protocols.Length > 0)
            Http.Request.Headers.SecWebSocketProtocol = protocols;
        return this;
    }

    /// <summary>Makes it a WebSocket over HTTP/2 (RFC 8441).</summary>
    /// <param name="protocols">The subprotocols that it offers.</param>
    public MemoryRequest Connecting(string protocols)
    {
        Http.Features.Set<IHttpExtendedConnectFeature>(new ExtendedConnect(this));
        Http.Request.Method = "CONNECT";
        Http.Request.Protocol = "HTTP/2";
        Http.Request.Headers.SecWebSocketVersion = "13";
        Http.Request.Headers.SecWebSocketProtocol = protocols;
        return this;
    }

    /// <summary>Has the request answered, as a server does; a client whose WebSocket is closed closes it as well.</summary>
    public async Task RunAsync(Func<Task> answer)
    {
        Task running = Task.Run(answer);
        if (await Task.WhenAny(running, _accepted.Task) == _accepted.Task)
        {
            Close = await _client.ReceiveAsync();
            await _client.SendAsync(Opcode.Close, "");
        }

        await running.WaitAsync(Endpoint.Patience);
        await StartAsync();
    }

    /// <summary>Begins the answer, as the first byte of a body does.</summary>
    public async Task StartAsync()
    {
        while (_starting.TryPop(out var starting))
            await starting.Callback(starting.State);
    }

    /// <summary>Ends the request, as the server does once it is answered.</summary>
    public async Task EndAsync()
    {
        while (_completed.TryPop(out var completed))
            await completed.Callback(completed.State);
    }

    public override void OnStarting(Func<object, Task> callback, object state) => _starting.Push((callback, state));

    public override void OnCompleted(Func<object, Task> callback, object state) => _completed.Push((callback, state));

    public Task<Stream> UpgradeAsync()
    {
        Http.Response.StatusCode = StatusCodes.Status101SwitchingProtocols;
        return AcceptAsync();
    }

    public void Abort()
    {
        IsAborted = true;
        _aborted.Cancel();
    }

    public void Dispose()
    {
        _aborted.Dispose();
        _body.Dispose();
        _ours.Dispose();
    }

    private Task<Stream> AcceptAsync()
    {
        _accepted.SetResult();
        return Task.FromResult<Stream>(_ours);
    }

    private string Header(string name) => Http.Response.Headers[name] is { Count: > 0 } value ? $"; {name}: {value}" : "";

    private sealed class ExtendedConnect(MemoryRequest request) : IHttpExtendedConnectFeature
    {
        public bool IsExtendedConnect => true;

        public string? Protocol => "websocket";

        public async ValueTask<Stream> AcceptAsync() => await request.AcceptAsync();
    }
}
