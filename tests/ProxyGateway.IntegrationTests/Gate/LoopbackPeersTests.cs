using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.DeviceAuth.WebSockets;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Whose the other end of a loopback connection is: certain, or unknown. Sockets are the kernel's own.</summary>
public sealed partial class LoopbackPeersTests : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CapturedLog _log = new();
    private readonly PacedLogger<LoopbackPeers> _paced;

    public LoopbackPeersTests()
    {
        _listener.Start();
        _paced = new PacedLogger<LoopbackPeers>(new LoggerFactory([_log]).CreateLogger<LoopbackPeers>(), TimeProvider.System);
    }

    private IPEndPoint EndPoint => (IPEndPoint)_listener.LocalEndpoint;

    public void Dispose()
    {
        _listener.Dispose();
        _paced.Dispose();
    }

    [RootFact]
    public void Each_end_of_a_connection_has_the_user_who_opened_it()
    {
        (Socket other, Socket acceptedOther) = Connect(OtherUser.Id);
        (Socket own, Socket acceptedOwn) = Connect(0);
        using (other)
        using (acceptedOther)
        using (own)
        using (acceptedOwn)
        {
            UserOf(acceptedOther).ShouldBe(PeerUser.Known(OtherUser.Id));
            UserOf(acceptedOwn).ShouldBe(PeerUser.Known(0));
            UserOf(acceptedOther).ShouldBe(PeerUser.Known(OtherUser.Id));
        }
    }

    /// <summary>The attacker's connection is reset after the gateway has begun to look, and the port is the right user's when the kernel is asked.</summary>
    [RootFact]
    public void A_port_that_another_process_takes_during_the_look_up_gives_no_user()
    {
        (Socket attacker, Socket accepted) = Connect(OtherUser.Id);
        var port = (IPEndPoint)attacker.LocalEndPoint!;
        Socket? victim = null;
        TcpSocket? answer = null;

        PeerUser user = UserOf(accepted, (local, remote, cookie) =>
        {
            if (cookie != TcpSocketTable.AnyCookie)
                return TcpSocketTable.Find(local, remote, cookie);
            attacker.LingerState = new LingerOption(true, 0);
            attacker.Dispose();
            victim = OtherUser.ConnectSocket(EndPoint, port, user: 0);
            return answer = TcpSocketTable.Find(local, remote, cookie);
        });

        // The table says nothing but the truth, of another connection.
        answer.ShouldBe(new TcpSocket(IsEstablished: true, IsOwned: true, UserId: 0));
        user.ShouldBe(PeerUser.Unknown);
        victim!.Dispose();
        accepted.Dispose();
    }

    [RootFact]
    public async Task A_port_that_the_right_user_takes_during_the_decision_does_not_approve()
    {
        string folder = Directory.CreateTempSubdirectory("gate-").FullName;
        var store = new PausingStore(SqliteDeviceStore.Open(new SqliteStoreOptions { Path = Path.Combine(folder, "registry.db") }, TimeProvider.System));
        await using TestGateway gateway = await UsersTests.OwnUserGateway.StartAsync("self", s => s.AddSingleton<IDeviceStore>(store));
        var endpoint = new IPEndPoint(IPAddress.Loopback, gateway.Port);
        IPEndPoint port = NewPort();
        Socket attacker = OtherUser.ConnectSocket(endpoint, port);
        var stream = new NetworkStream(attacker);
        (await TestClient.RequestAsync(stream, "localhost")).Status.ShouldBe(101);
        var client = new FrameConnection(stream, masks: true);
        await client.ReceiveJsonAsync();
        var device = new TestDevice();
        store.PauseAfterNextRead();
        await client.SendTextAsync(new Ask { Scopes = ["operator.admin"] }.SignedBy(device));
        await store.Paused;

        // So much behind the request that the gateway stops reading, and does not hear of the reset.
        attacker.Blocking = false;
        byte[] filler = FrameConnection.Encode(Opcode.Binary, new byte[64 * 1024], masked: true);
        await Eventually.HoldsAsync(() => Task.FromResult(attacker.Send(filler, SocketFlags.None, out SocketError error) >= 0 && error == SocketError.WouldBlock), "nothing more is read");
        attacker.LingerState = new LingerOption(true, 0);
        attacker.Dispose();
        using Socket victim = OtherUser.ConnectSocket(endpoint, port, user: 0);
        store.Continue();

        await Eventually.HoldsAsync(async () => await gateway.FindAsync(device) is not null, "the device is on record");
        DeviceRecord record = (await gateway.FindAsync(device))!;
        record.Grants.ShouldBeEmpty();
        record.Requests.ShouldHaveSingleItem();
    }

    [Fact]
    public void A_socket_that_its_process_has_closed_has_no_user()
    {
        (Socket client, Socket accepted) = Connect();
        using (accepted)
        {
            UserOf(accepted).State.ShouldBe(PeerUserState.Known);

            client.Dispose();

            UserOf(accepted).ShouldBe(PeerUser.Unknown);
        }

        UserOf(accepted).ShouldBe(PeerUser.Unknown); // and none is at ours, once it is closed
    }

    [RootFact]
    public void A_table_of_another_network_namespace_gives_no_user()
    {
        (Socket client, Socket accepted) = Connect(OtherUser.Id);
        using (client)
        using (accepted)
        {
            // As a gateway whose listener systemd has made in the machine's namespace, and whose own has the same connection in it.
            (PeerUser user, TcpSocket? answer) = OtherUser.OnThread(() =>
            {
                EnterOtherNetwork();
                using var listener = new TcpListener(EndPoint);
                listener.Start();
                using Socket ambush = OtherUser.ConnectSocket(EndPoint, (IPEndPoint)client.LocalEndPoint!, user: null);
                return (UserOf(accepted), TcpSocketTable.Find((IPEndPoint)ambush.LocalEndPoint!, EndPoint, TcpSocketTable.AnyCookie));
            });

            answer.ShouldBe(new TcpSocket(IsEstablished: true, IsOwned: true, UserId: 0));
            user.ShouldBe(PeerUser.Unknown);
            _log.Of(1212).ShouldHaveSingleItem();
            UserOf(accepted).ShouldBe(PeerUser.Known(OtherUser.Id));
        }
    }

    [Fact]
    public void If_the_kernel_cannot_be_asked_the_user_is_unknown_and_the_log_says_so()
    {
        (Socket client, Socket accepted) = Connect();
        using (client)
        using (accepted)
        {
            for (int i = 0; i < 100; i++)
                UserOf(accepted, (_, _, _) => throw new SocketException((int)SocketError.SocketError, "not here")).ShouldBe(PeerUser.Unknown);
        }

        _log.Of(1211).Count().ShouldBe(PacedLogger<LoopbackPeers>.LinesPerMinute);
        _log.Of(1211).ShouldAllBe(l => l.Contains("(not here)", StringComparison.Ordinal));
    }

    [Fact]
    public void The_look_up_costs_the_same_with_any_number_of_sockets()
    {
        (Socket client, Socket accepted) = Connect();
        UserOf(accepted).State.ShouldBe(PeerUserState.Known);
        long among2 = Allocated();
        var others = new List<Socket>();
        for (int i = 0; i < 500; i++)
        {
            (Socket one, Socket two) = Connect();
            others.AddRange([one, two]);
        }

        long among1000 = Allocated();

        others.ForEach(o => o.Dispose());
        client.Dispose();
        accepted.Dispose();
        among1000.ShouldBeInRange(0, (2 * among2) + 1000);

        long Allocated()
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            UserOf(accepted).State.ShouldBe(PeerUserState.Known);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    [Fact]
    public void A_request_that_is_over_does_not_give_way_to_the_next_one_of_its_context()
    {
        (Socket client, Socket accepted) = Connect();
        using (client)
        using (accepted)
        {
            var context = new DefaultHttpContext();
            context.Features.Set<IConnectionSocketFeature>(new SocketFeature(accepted));
            Func<PeerUser> find = new LoopbackPeers(_paced).Of(context);

            context.Uninitialize();

            find().State.ShouldBe(PeerUserState.Known);
        }
    }

    [Fact]
    public void A_connection_without_a_socket_has_no_user() => new LoopbackPeers(_paced).Of(new DefaultHttpContext())().ShouldBe(PeerUser.Unknown);

    // One that no outgoing connection of another test takes once it is let go.
    private static IPEndPoint NewPort() => new(IPAddress.Loopback, ServerPorts.Take());

    private (Socket Client, Socket Accepted) Connect(uint? user = null)
    {
        Socket client = OtherUser.ConnectSocket(EndPoint, NewPort(), user);
        return (client, _listener.AcceptSocket());
    }

    private PeerUser UserOf(Socket socket, FindTcpSocket? find = null) => new LoopbackPeers(_paced, find ?? TcpSocketTable.Find).FindUser(socket);

    private static void EnterOtherNetwork()
    {
        const int newNetwork = 0x40000000; // CLONE_NEWNET
        Unshare(newNetwork).ShouldBe(0);
        const int setFlags = 0x8914; // SIOCSIFFLAGS
        byte[] request = new byte[40]; // struct ifreq: 16 bytes of name, flags
        "lo"u8.CopyTo(request);
        request[16] = 1; // IFF_UP
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        Control(socket.Handle, setFlags, request).ShouldBe(0);
    }

    [LibraryImport("libc", EntryPoint = "unshare")]
    private static partial int Unshare(int flags);

    [LibraryImport("libc", EntryPoint = "ioctl")]
    private static partial int Control(nint socket, nuint request, byte[] argument);

    private sealed class SocketFeature(Socket socket) : IConnectionSocketFeature
    {
        public Socket Socket => socket;
    }
}
