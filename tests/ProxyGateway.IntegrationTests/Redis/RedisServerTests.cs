using System.Globalization;
using System.Net;
using System.Net.Sockets;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.IntegrationTests.Redis;

/// <summary>The server that the other tests start: one that cannot start fails its test at once, and says why.</summary>
public sealed class RedisServerTests
{
    [Fact]
    public async Task A_server_whose_port_was_taken_meanwhile_gets_another()
    {
        using var other = new TcpListener(IPAddress.Loopback, ServerPorts.Take());
        other.Start();
        int taken = ((IPEndPoint)other.LocalEndpoint).Port;
        var ports = new Queue<int>([taken, ServerPorts.Take()]);

        await using RedisServer server = await RedisServer.StartAsync(ports.Dequeue, started: true);

        ports.ShouldBeEmpty();
        (await server.ExecuteAsync("PING")).ToString().ShouldBe("PONG");
    }

    [Fact]
    public async Task A_server_that_ends_is_noticed_and_its_log_is_shown()
    {
        InvalidOperationException failure = await Should.ThrowAsync<InvalidOperationException>(
            () => RedisServer.StartAsync(started: true, "--appendfilename", "no/file/name").WaitAsync(Eventually.Patience / 2));

        failure.Message.ShouldContain("redis-server ended at its start");
    }

    [Fact]
    public void No_port_is_handed_out_twice_or_given_to_an_outgoing_connection()
    {
        int[] range = [.. File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            .Select(p => int.Parse(p, CultureInfo.InvariantCulture))];

        int[] ports = [.. Enumerable.Range(0, 100).Select(_ => ServerPorts.Take())];

        ports.ShouldBeUnique();
        if (range[0] > 10_500) // as it is unless somebody has widened it
            ports.ShouldAllBe(p => p < range[0] || p > range[1]);
    }
}
