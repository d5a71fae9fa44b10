using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Rules that approve only what this machine's own user does.</summary>
public sealed class UsersTests(UsersTests.OwnUserGateway shared) : IClassFixture<UsersTests.OwnUserGateway>
{
    /// <summary>Which way a client comes.</summary>
    public enum Way
    {
        IPv4,
        IPv6,
        IPv6ToIPv4,
        IPv4ToDualMode,
        IPv6ToDualMode,
        UnixSocket,
    }

    [Theory]
    [InlineData(Way.IPv4)]
    [InlineData(Way.IPv6)]
    [InlineData(Way.IPv6ToIPv4)]
    [InlineData(Way.IPv4ToDualMode)]
    [InlineData(Way.IPv6ToDualMode)]
    [InlineData(Way.UnixSocket)]
    public async Task A_process_of_the_gateways_user_is_approved(Way way)
    {
        EndPoint endpoint = EndPointOf(way);
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        if (way == Way.IPv6ToIPv4)
            socket.DualMode = true;
        await socket.ConnectAsync(endpoint);

        await using Encounter encounter = await AskAsync(new NetworkStream(socket, ownsSocket: true));

        await encounter.ShouldBeAdmittedAsync();
    }

    [RootTheory]
    [InlineData(Way.IPv4)]
    [InlineData(Way.IPv6)]
    [InlineData(Way.IPv6ToIPv4)]
    [InlineData(Way.IPv4ToDualMode)]
    [InlineData(Way.IPv6ToDualMode)]
    [InlineData(Way.UnixSocket)]
    public async Task Another_user_is_not_admitted_by_a_rule_for_this_user(Way way)
    {
        Stream stream = EndPointOf(way) switch
        {
            UnixDomainSocketEndPoint unix => OtherUser.Connect(unix),
            IPEndPoint ip => OtherUser.Connect(ip),
            _ => throw new ArgumentOutOfRangeException(nameof(way)),
        };

        Encounter encounter = await AskAsync(stream);

        await encounter.ShouldRequirePairingAsync("not-paired");
    }

    [RootTheory]
    [InlineData(Way.IPv4)]
    [InlineData(Way.IPv6)]
    [InlineData(Way.UnixSocket)]
    public async Task A_user_that_a_rule_names_is_approved(Way way)
    {
        await using TestGateway gateway = await OwnUserGateway.StartAsync($"{OtherUser.Id}");
        EndPoint endpoint = OwnUserGateway.EndPointOf(way, gateway);
        Stream stream = endpoint is UnixDomainSocketEndPoint unix ? OtherUser.Connect(unix) : OtherUser.Connect((IPEndPoint)endpoint);

        await using Encounter encounter = await AskAsync(stream, gateway);

        await encounter.ShouldBeAdmittedAsync();
    }

    [RootTheory]
    [InlineData(Way.IPv4)]
    [InlineData(Way.UnixSocket)]
    public async Task The_overflow_user_matches_no_rule(Way way)
    {
        await using TestGateway gateway = await OwnUserGateway.StartAsync($"{OverflowUser.Id}");
        Stream stream = new NetworkStream(OtherUser.ConnectSocket(OwnUserGateway.EndPointOf(way, gateway), user: OverflowUser.Id), ownsSocket: true);

        Encounter encounter = await AskAsync(stream, gateway);

        await encounter.ShouldRequirePairingAsync("not-paired");
        gateway.Log.Of(1210).ShouldHaveSingleItem().ShouldContain($"{OverflowUser.Id}");
    }

    private EndPoint EndPointOf(Way way) => OwnUserGateway.EndPointOf(way, shared.Gateway);

    private async Task<Encounter> AskAsync(Stream stream, TestGateway? gateway = null)
    {
        gateway ??= shared.Gateway;
        (int status, string head) = await TestClient.RequestAsync(stream, "localhost");
        status.ShouldBe(101, head);
        var encounter = new Encounter(gateway, new FrameConnection(stream, masks: true), await gateway.Backend.AcceptAsync());
        (await encounter.Client.ReceiveJsonAsync()).GetProperty("event").GetString().ShouldBe("connect.challenge");
        await encounter.Client.SendTextAsync(new Ask().SignedBy(new TestDevice()));
        return encounter;
    }

    public sealed class OwnUserGateway : SharedGateway
    {
        private static readonly string Folder = Directory.CreateTempSubdirectory("users-").FullName;
        private static int _sockets;

        internal static EndPoint EndPointOf(Way way, TestGateway gateway) => way switch
        {
            Way.IPv4 => new IPEndPoint(IPAddress.Loopback, gateway.Port),
            Way.IPv6 => new IPEndPoint(IPAddress.IPv6Loopback, gateway.Ports[2]),
            Way.IPv6ToIPv4 => new IPEndPoint(IPAddress.Loopback.MapToIPv6(), gateway.Port),
            Way.IPv4ToDualMode => new IPEndPoint(IPAddress.Loopback, gateway.Ports[3]),
            Way.IPv6ToDualMode => new IPEndPoint(IPAddress.IPv6Loopback, gateway.Ports[3]),
            _ => new UnixDomainSocketEndPoint(SocketOf(gateway)),
        };

        internal static async Task<TestGateway> StartAsync(string user, Action<IServiceCollection>? services = null)
        {
            string path = Path.Combine(Folder, $"{Interlocked.Increment(ref _sockets)}.sock");
            TestGateway gateway = await TestGateway.StartAsync(
                new(Generous)
                {
                    ["DeviceAuth:Pairing:AutoApprove:users:From:0"] = "loopback",
                    ["DeviceAuth:Pairing:AutoApprove:users:Reasons:0"] = "not-paired",
                    ["DeviceAuth:Pairing:AutoApprove:users:Users:0"] = user,
                    ["Test:Socket"] = path,
                },
                services: services,
                kestrel: options =>
                {
                    options.Listen(IPAddress.IPv6Loopback, 0);
                    options.ListenAnyIP(0);
                    options.ListenUnixSocket(path);
                });
            if (OperatingSystem.IsLinux())
            {
                // For the other user, too.
                File.SetUnixFileMode(Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
                File.SetUnixFileMode(path, File.GetUnixFileMode(path) | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite);
            }

            return gateway;
        }

        private protected override Task<TestGateway> StartAsync() => StartAsync("self");

        private static string SocketOf(TestGateway gateway) => gateway.Setting("Test:Socket")!;
    }
}
