using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sessions;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Embedding;

/// <summary>What an application sees of who is connected, and how it ends a connection.</summary>
public sealed class DeviceConnectionsTests : IAsyncLifetime
{
    private readonly TestDevice _device = new();
    private TestGateway _gateway = null!;

    private IDeviceConnections Connections => _gateway.Services.GetRequiredService<IDeviceConnections>();

    public async Task InitializeAsync() => _gateway = await TestGateway.StartAsync();

    public async Task DisposeAsync() => await _gateway.DisposeAsync();

    [Fact]
    public async Task Admitted_connections_are_listed_with_device_role_and_scopes()
    {
        Connections.Count.ShouldBe(0);
        FrameConnection first = await ConnectAsync(_device);
        await ConnectAsync(new TestDevice());

        Connections.Count.ShouldBe(2);
        DeviceConnection shown = Connections.List(_device.Id).ShouldHaveSingleItem();
        shown.Role.ShouldBe("operator");
        shown.Scopes.ShouldContain("operator.read");
        shown.Locality.ShouldBe(LocalityKind.Loopback);
        shown.EndsAt.ShouldBeNull();
        Connections.List(after: shown.Id).ShouldHaveSingleItem().Device.ShouldNotBe(_device.Id);
        Connections.List(limit: 1).ShouldHaveSingleItem().ShouldBe(shown);

        await first.SendAsync(Opcode.Close, []);
        await Eventually.HoldsAsync(() => Task.FromResult(Connections.Count == 1), "it has left the list");
    }

    [Fact]
    public async Task A_running_handshake_is_not_listed_as_a_connection()
    {
        await using FrameConnection client = await TestClient.OpenAsync(_gateway.Port);
        await client.ReceiveJsonAsync();

        Connections.Count.ShouldBe(0);
        Connections.List().ShouldBeEmpty();
    }

    [Fact]
    public async Task An_application_ends_one_connection_with_its_own_reason()
    {
        FrameConnection ended = await ConnectAsync(_device);
        FrameConnection other = await ConnectAsync(_device);
        long id = Connections.List().Min(c => c.Id);

        Connections.End(id, "maintenance at noon").ShouldBeTrue();

        Frame close = await ended.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1008, "maintenance at noon"));
        Connections.End(id).ShouldBeFalse();
        Connections.End(id + 1000).ShouldBeFalse();
        await other.SendTextAsync("still there");
        (await other.ReceiveAsync())!.Text.ShouldBe("still there");
    }

    [Fact]
    public async Task An_application_ends_all_connections_of_a_device()
    {
        FrameConnection[] ended = [await ConnectAsync(_device), await ConnectAsync(_device)];
        await ConnectAsync(new TestDevice());

        Connections.EndAll(_device.Id).ShouldBe(2);

        foreach (FrameConnection client in ended)
        {
            Frame close = await client.ReceiveCloseAsync();
            (close.CloseCode, close.CloseReason).ShouldBe((1008, "connection ended"));
        }

        Connections.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_reason_that_no_close_frame_can_carry_is_refused_and_ends_nothing()
    {
        await ConnectAsync(_device);

        Should.Throw<ArgumentException>(() => Connections.EndAll(_device.Id, new string('x', 124)));
        Should.Throw<ArgumentOutOfRangeException>(() => Connections.List(limit: -1));

        Connections.Count.ShouldBe(1);
    }

    private async Task<FrameConnection> ConnectAsync(TestDevice device)
    {
        Outcome outcome = await TestClient.ConnectAsync(_gateway.Port, device);
        outcome.ShouldBeAdmitted();
        return outcome.Client;
    }
}
