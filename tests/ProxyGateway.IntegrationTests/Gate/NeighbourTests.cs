using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Time.Testing;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Who shares an address, a machine or a site with a device, and keeps every place there.</summary>
public sealed class NeighbourTests
{
    private const int Tries = 100;

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly TestDevice _device = new();

    [RootTheory]
    [InlineData(1)]
    [InlineData(5)]
    public async Task Silent_connections_of_other_users_of_this_machine_shut_no_device_out(int users)
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        await AdmitAsync(gateway);
        await AdmitAsync(gateway); // at first by a rule, then by its grant
        var silent = new List<FrameConnection>();
        for (uint user = 0; user < users; user++)
        {
            for (int i = 0; i < 16; i++)
            {
                Socket socket = OtherUser.ConnectSocket(new IPEndPoint(IPAddress.Loopback, gateway.Port), user: OtherUser.Id - user);
                var stream = new NetworkStream(socket, ownsSocket: true);
                (int status, string head) = await TestClient.RequestAsync(stream, "localhost");
                if (status == 101)
                    await gateway.Backend.AcceptAsync();
                else
                    status.ShouldBe(503, head);
                silent.Add(new FrameConnection(stream, masks: true));
            }
        }

        for (int i = 0; i < Tries; i++)
            await AdmitAsync(gateway);

        gateway.Log.Of(1202).ShouldAllBe(l => !l.Contains("Address", StringComparison.Ordinal));
        foreach (FrameConnection connection in silent)
            await connection.DisposeAsync();
    }

    [Fact]
    public async Task Silent_connections_of_the_devices_own_user_do_not_shut_it_out()
    {
        await using TestGateway gateway = await TestGateway.StartAsync();
        var silent = new Queue<Encounter>();
        while (silent.Count < 16)
            silent.Enqueue(await Encounter.OpenAsync(gateway));

        for (int i = 0; i < Tries; i++)
        {
            await AdmitAsync(gateway);
            await silent.Dequeue().ShouldBeClosedAsync(1013, "try again later"); // the oldest
            silent.Enqueue(await Encounter.OpenAsync(gateway));
        }

        gateway.Log.Of(1202).ShouldBeEmpty();
        foreach (Encounter encounter in silent)
            await encounter.DisposeAsync();
    }

    [Fact]
    public async Task Delayed_refusals_are_sent_at_once_when_their_place_is_needed()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(
            new()
            {
                ["DeviceAuth:Limits:FailuresPerAddress"] = "1",
                ["DeviceAuth:Limits:Handshakes"] = "8",
                ["DeviceAuth:TrustedProxies:0"] = $"{TestGateway.RemoteAddress}",
            },
            time: _time);
        var wrong = new Ask { SignedAt = _time.GetUtcNow(), Nonce = "x" };
        var waiting = new List<Encounter>();
        for (int i = 0; i < 6; i++)
        {
            string address = $"X-Forwarded-For: 198.51.100.{i}";
            await (await Encounter.AskAsync(gateway, _device, wrong, gateway.RemotePort, null, address)).ShouldBeClosedAsync(1008, "device nonce mismatch");
            waiting.Add(await Encounter.AskAsync(gateway, _device, wrong, gateway.RemotePort, null, address));
            await waiting[i].BackendShouldHaveHeardNothingAsync();
        }

        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 6), "six of eight are taken, and two are kept");

        var newcomers = new List<Encounter>();
        for (int i = 0; i < 6; i++)
        {
            newcomers.Add(await Encounter.OpenAsync(gateway, gateway.RemotePort, null, $"X-Forwarded-For: 192.0.2.{i}"));
            (await waiting[i].Client.ReceiveAsync())!.Json.GetProperty("ok").GetBoolean().ShouldBeFalse();
            (await waiting[i].Client.ReceiveCloseAsync()).CloseReason.ShouldBe("device nonce mismatch");
            gateway.Budgets.InUse.ShouldBe(6);
        }

        foreach (Encounter encounter in newcomers.Concat(waiting))
            await encounter.DisposeAsync();
    }

    private async Task AdmitAsync(TestGateway gateway)
    {
        await using Encounter encounter = await Encounter.AskAsync(gateway, _device);
        await encounter.ShouldBeAdmittedAsync();
    }
}
