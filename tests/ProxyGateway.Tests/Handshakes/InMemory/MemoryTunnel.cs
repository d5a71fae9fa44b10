using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Handshakes.InMemory;

/// <summary>One connection through a <see cref="MemoryGate"/>: its client, its backend, and between them what YARP does with what the gate gives it.</summary>
internal sealed class MemoryTunnel : IHttpUpgradeFeature, IHttpRequestLifetimeFeature, IDisposable
{
    public const string ChallengeText = """{"type":"event","event":"connect.challenge","payload":{"nonce":"n0nce"}}""";

    public static readonly Client Client192 = new([new("192.0.2.1", 1)], Host: 0);

    private readonly MemoryGate _gate;
    private readonly SocketStream _clientStream;
    private readonly SocketStream _backendStream;
    private readonly CancellationTokenSource _aborted = new();
    private readonly CancellationTokenSource _activityTimeout = new();
    private Task _running = Task.CompletedTask;

    public MemoryTunnel(MemoryGate gate, HandshakePlace place, int room)
    {
        (_gate, Place) = (gate, place);
        (_clientStream, SocketStream client) = SocketStream.Pair(room);
        (_backendStream, SocketStream backend) = SocketStream.Pair();
        Client = new Endpoint(client, isMasking: true);
        Backend = new Endpoint(backend, isMasking: false);
        RequestAborted = _aborted.Token;
        Http.Features.Set<IHttpUpgradeFeature>(this);
        Http.Features.Set<IHttpRequestLifetimeFeature>(this);
    }

    public DefaultHttpContext Http { get; } = new();

    public HandshakePlace Place { get; }

    public Endpoint Client { get; }

    public Endpoint Backend { get; }

    public SigningDevice Device { get; init; } = null!;

    /// <summary>What the proxy got as the backend's stream: <c>backend</c>, or <c>ended</c>; null if nothing yet.</summary>
    public string? Relayed { get; private set; }

    /// <summary>Whether a read of the backend is under way.</summary>
    public bool IsBackendRead => _backendStream.IsReading;

    /// <summary>Whether the gate has closed the backend's connection.</summary>
    public bool IsBackendClosed => _backendStream.IsClosed;

    public bool IsAborted => _aborted.IsCancellationRequested;

    public bool IsUpgradableRequest => true;

    public CancellationToken RequestAborted { get; set; }

    public async Task StartAsync(IDeviceHandshake handshake, ClaimOrigin origin, DeviceAuthOptions options) =>
        await Task.Run(() => { _running = RunAsync(handshake, origin, options); });

    /// <summary>Waits until the request is over.</summary>
    public Task EndAsync() => _running.WaitAsync(Endpoint.Patience);

    /// <summary>The backend challenges, and the client has that.</summary>
    public async Task ChallengeAsync()
    {
        await Backend.SendAsync(ChallengeText);
        (await Client.ReceiveAsync()).ShouldBe("Text " + ChallengeText);
    }

    /// <summary>The request that answers the challenge.</summary>
    public string Connect(string role = "operator", string scopes = "operator.read", string? token = null) =>
        Device.Connect("n0nce", _gate.Time.GetUtcNow(), role, scopes, token);

    /// <summary>Challenge, signed request, and the backend has it.</summary>
    public async Task<string> ForwardAsync()
    {
        string connect = Connect();
        await ChallengeAsync();
        await Client.SendAsync(connect);
        (await Backend.ReceiveAsync()).ShouldBe("Text " + connect);
        return connect;
    }

    /// <summary>The client hangs up: the server cancels what belongs to its request.</summary>
    public Task HangUpAsync() => Task.Run(_aborted.Cancel);

    /// <summary>YARP's activity time-out.</summary>
    public Task TimeOutActivityAsync() => Task.Run(_activityTimeout.Cancel);

    public void Abort() => _aborted.Cancel();

    public Task<Stream> UpgradeAsync() => Task.FromResult<Stream>(_clientStream);

    public void Dispose()
    {
        _aborted.Dispose();
        _activityTimeout.Dispose();
    }

    private async Task RunAsync(IDeviceHandshake handshake, ClaimOrigin origin, DeviceAuthOptions options)
    {
        using (Place)
            await handshake.InvokeAsync(new HandshakeRequest(
                new HandshakeContext(Http, origin, options, Audience.Default, Place) { Trace = _gate.Get<HandshakeMetrics>().Begin("agent", "ConnectFrame", "default") }, _gate.Get<AdmissionDesk>(), ownHeaders: [], isUpgrade: true, _ => ProxyAsync(Http)));
        _clientStream.Dispose(); // as the server does once the request is over
    }

    private async Task ProxyAsync(HttpContext http)
    {
        Stream client = await http.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        using HttpContent content = http.Features.GetRequiredFeature<GatedUpgrade>().Wrap(new Content(_backendStream));
        using var tunnel = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _activityTimeout.Token);
        Stream backend = await content.ReadAsStreamAsync(tunnel.Token);
        Relayed = ReferenceEquals(backend, _backendStream) ? "backend" : "ended";
        Task first = await Task.WhenAny(CopyAsync(client, backend, tunnel.Token), CopyAsync(backend, client, tunnel.Token));
        await first.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await tunnel.CancelAsync();
        _backendStream.Dispose();
    }

    private static async Task CopyAsync(Stream from, Stream to, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[4096];
        while (true)
        {
            _ = await from.ReadAsync(Memory<byte>.Empty, cancellationToken);
            int length = await from.ReadAsync(buffer, cancellationToken);
            if (length == 0)
                return;
            await to.WriteAsync(buffer.AsMemory(0, length), cancellationToken);
        }
    }

    private sealed class Content(Stream stream) : HttpContent
    {
        protected override Stream CreateContentReadStream(CancellationToken cancellationToken) => stream;

        protected override Task SerializeToStreamAsync(Stream to, TransportContext? context) => throw new NotSupportedException();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
