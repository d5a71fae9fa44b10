using System.Net.WebSockets;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>How much a client can have logged.</summary>
public sealed class LogLengthTests
{
    [Fact]
    public async Task Log_lines_of_admissions_are_limited_and_have_a_few_scopes()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(SharedGateway.Generous);
        var device = new TestDevice();
        var ask = new Ask { Scopes = [.. Enumerable.Range(10, 12).Select(i => $"s{i}{new string('x', 120)}")] };
        for (int i = 0; i < 31; i++)
        {
            Outcome outcome = await TestClient.ConnectAsync(gateway.Port, device, ask);
            outcome.ShouldBeAdmitted();
            await outcome.Client.DisposeAsync();
        }

        gateway.Log.Of(1001).Count().ShouldBe(30);
        gateway.Log.Of(1001).ShouldAllBe(line => line.Length < 1500 && line.Contains(" and 4 more]"));
    }

    [Fact]
    public async Task Every_pairing_by_a_rule_is_logged_while_devices_reconnect()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(SharedGateway.Generous);
        TestDevice[] devices = [.. Enumerable.Range(0, PacedLogger<Gatekeeper>.LinesPerMinute + 5).Select(_ => new TestDevice())];
        foreach (TestDevice device in devices)
        {
            Outcome outcome = await TestClient.ConnectAsync(gateway.Port, device, new Ask { Scopes = [.. Enumerable.Range(10, 12).Select(i => $"s{i}{new string('x', 120)}")] });
            outcome.ShouldBeAdmitted();
            await outcome.Client.DisposeAsync();
        }

        gateway.Log.Of(1009).Count().ShouldBe(devices.Length);
        gateway.Log.Of(1009).Last().ShouldStartWith($"Rule loopback has paired device {devices[^1].Id} as ");
        gateway.Log.Of(1009).ShouldAllBe(line => line.Length < 1500 && line.Contains(" and 4 more]"));
    }

    [Fact]
    public async Task A_long_path_is_logged_in_part()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(SharedGateway.Generous);
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Origin", "https://elsewhere.example");

        await Should.ThrowAsync<WebSocketException>(() => socket.ConnectAsync(new Uri($"ws://127.0.0.1:{gateway.Port}/{new string('p', 6000)}"), default));

        gateway.Log.Of(1201).ShouldHaveSingleItem().Length.ShouldBeLessThan(600);
    }
}
