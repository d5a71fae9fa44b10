using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Http;
using ProxyGateway.Benchmarks;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Steps;

/// <summary>What a message of an admitted device costs on its way through the gate, sockets and YARP left out.</summary>
public class RelaySteps : IAsyncDisposable
{
    private byte[] _fromClient = [];
    private byte[] _fromBackend = [];
    private FrameTracker _tracker;
    private DeviceSession _session = null!;
    private SessionPipe _pipe = null!;

    /// <summary>How long the message is, in bytes.</summary>
    [Params(64, 16 * 1024)]
    public int Size { get; set; }

    /// <summary>Begins a session.</summary>
    [GlobalSetup]
    public void SetUp()
    {
        byte[] message = new byte[Size];
        _fromClient = Frames.Masked(Opcode.Binary, message);
        _fromBackend = FrameWriter.Text(message);
        var origin = new ClaimOrigin(new Locality(IsLoopback: false), "192.0.2.1", () => PeerUser.Unknown);
        _session = new SessionTable(new DeviceRegistry(null!), new Settings(), TimeProvider.System).TryEnter(Fleet.Claim(0), origin, limit: 1)!;
        _pipe = new SessionPipe(new DefaultHttpContext(), new ReadyStream(), TimeProvider.System);
        _pipe.Begin(_session);
    }

    /// <summary>Ends it.</summary>
    [GlobalCleanup]
    public async ValueTask DisposeAsync()
    {
        await _pipe.DisposeAsync();
        _session.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Its frame is followed to the end.</summary>
    [Benchmark]
    public bool Track()
    {
        _tracker.Advance(_fromClient);
        return _tracker.AtBoundary;
    }

    /// <summary>The client's message is read for the backend, at a time when it is there already.</summary>
    [Benchmark]
    public ValueTask<int> ToBackendAsync() => _pipe.ReadAsync(_fromClient, CancellationToken.None);

    /// <summary>The backend's message is written to a client that takes it at once.</summary>
    [Benchmark]
    public ValueTask ToClientAsync() => _pipe.Outlet.WriteAsync(_fromBackend, CancellationToken.None);

    private sealed class Settings : IDeviceAuthSettings
    {
        public DeviceAuthOptions Current { get; } = new();
    }
}
