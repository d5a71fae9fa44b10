using System.Diagnostics.Metrics;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.Tests.Handshakes.InMemory;

namespace ProxyGateway.Tests.Diagnostics;

/// <summary>Listeners are the application's, and may throw. That decides nothing: a removed device goes, and a refused one keeps no place.</summary>
public sealed class ThrowingListenerTests : IDisposable
{
    private const string HelloOk = """{"type":"res","id":"17","ok":true,"payload":{"type":"hello-ok"}}""";

    private readonly MemoryGate _gate = new();
    private readonly MeterListener _listener;

    public ThrowingListenerTests()
    {
        IMeterFactory meters = _gate.Get<IMeterFactory>();
        _listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (ReferenceEquals(instrument.Meter.Scope, meters) && !instrument.IsObservable)
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        _listener.SetMeasurementEventCallback<long>((_, _, _, _) => throw new InvalidOperationException("no room"));
        _listener.SetMeasurementEventCallback<double>((_, _, _, _) => throw new InvalidOperationException("no room"));
        _listener.Start();
    }

    public void Dispose()
    {
        _listener.Dispose();
        _gate.Dispose();
    }

    [Fact]
    public async Task Every_session_of_a_removed_device_ends()
    {
        var device = new SigningDevice();
        MemoryTunnel first = await AdmitAsync(device);
        MemoryTunnel second = await AdmitAsync(device);

        await _gate.Get<DeviceRegistry>().RemoveAsync(device.Id, Some.Operator, Some.Rules, CancellationToken.None);

        (await first.Client.ReceiveAsync()).ShouldBe("Close 1008 device removed");
        (await second.Client.ReceiveAsync()).ShouldBe("Close 1008 device removed");
    }

    [Fact]
    public async Task Who_is_refused_is_told_so_and_keeps_no_place()
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync(Some.Origin);
        await tunnel.ChallengeAsync();
        await tunnel.Client.SendAsync(tunnel.Connect(role: "node"));

        (await tunnel.Client.ReceiveAsync()).ShouldContain("PAIRING_REQUIRED");
        (await tunnel.Client.ReceiveAsync()).ShouldStartWith("Close 1008 pairing required");
        _gate.Get<SessionTable>().Count.ShouldBe(0);
    }

    private async Task<MemoryTunnel> AdmitAsync(SigningDevice device)
    {
        MemoryTunnel tunnel = await _gate.ConnectAsync(device: device);
        await tunnel.ForwardAsync();
        await tunnel.Backend.SendAsync(HelloOk);
        (await tunnel.Client.ReceiveAsync()).ShouldBe("Text " + HelloOk);
        return tunnel;
    }
}
