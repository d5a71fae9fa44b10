using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Localities;

/// <summary>What the kernel says of the two ends of a loopback connection, and whose the other end then is: certain, or unknown.</summary>
public sealed class LoopbackPeersTests : IDisposable
{
    private static readonly TcpSocket Open = new(IsEstablished: true, IsOwned: true, UserId: 1000);

    private readonly Socket _listener = new(SocketType.Stream, ProtocolType.Tcp);
    private readonly Socket _client = new(SocketType.Stream, ProtocolType.Tcp);
    private readonly Socket _accepted;
    private readonly Lines _log = new();
    private readonly PacedLogger<LoopbackPeers> _paced;

    public LoopbackPeersTests()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        _client.Connect(_listener.LocalEndPoint!);
        _accepted = _listener.Accept();
        _paced = new PacedLogger<LoopbackPeers>(_log, TimeProvider.System);
    }

    public void Dispose()
    {
        _accepted.Dispose();
        _client.Dispose();
        _listener.Dispose();
        _paced.Dispose();
    }

    // Whether the kernel knows the gateway's end; what it says of the client's; and the user.
    [Theory]
    [InlineData(true, "open owned 1000", 1000)]
    [InlineData(true, "open owned 0", 0)]
    [InlineData(true, "open owned 65534", null)] // a user of another namespace
    [InlineData(true, "open 1000", null)]
    [InlineData(true, "owned 1000", null)]
    [InlineData(true, "", null)]
    [InlineData(false, "open owned 1000", null)]
    public void The_user_is_the_owner_of_the_open_connection_with_the_ends_swapped(bool knowsOwn, string theirs, int? user)
    {
        string[] words = theirs.Split(' ');
        TcpSocket? answer = theirs.Length == 0 ? null : new TcpSocket(words.Contains("open"), words.Contains("owned"), uint.Parse(words[^1], null));
        var asked = new List<(IPEndPoint Local, IPEndPoint Remote, bool IsAny)>();

        PeerUser found = UserOf((local, remote, cookie) =>
        {
            asked.Add((local, remote, cookie == TcpSocketTable.AnyCookie));
            return asked.Count == 2 ? answer : knowsOwn ? Open : null;
        });

        found.ShouldBe(user is { } id ? PeerUser.Known((uint)id) : PeerUser.Unknown);
        var (own, peer) = ((IPEndPoint)_accepted.LocalEndPoint!, (IPEndPoint)_client.LocalEndPoint!);
        asked.ShouldBe(knowsOwn ? [(own, peer, false), (peer, own, true)] : [(own, peer, false)]);
        _log.Events.ShouldBe(knowsOwn ? [] : [1212], "the table is another network's");
    }

    [Theory]
    [InlineData(1)] // as the kernel is asked about the gateway's end
    [InlineData(2)] // or about the client's
    public void A_connection_that_is_reset_during_the_look_up_gives_no_user(int question)
    {
        int asked = 0;

        PeerUser found = UserOf((_, _, _) =>
        {
            if (++asked == question)
            {
                _client.LingerState = new LingerOption(true, 0);
                _client.Dispose();
            }

            return Open;
        });

        found.ShouldBe(PeerUser.Unknown);
    }

    [Fact]
    public void A_connection_that_was_reset_is_missing_in_the_table_and_not_reported()
    {
        UserOf((_, _, _) =>
        {
            _client.LingerState = new LingerOption(true, 0);
            _client.Dispose();
            return null;
        }).ShouldBe(PeerUser.Unknown);

        _log.Events.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(typeof(SocketException), true)]
    [InlineData(typeof(EntryPointNotFoundException), true)]
    [InlineData(typeof(DllNotFoundException), true)]
    [InlineData(typeof(ObjectDisposedException), false)] // the connection is gone
    public void If_the_kernel_cannot_be_asked_the_user_is_unknown(Type exception, bool isReported)
    {
        var thrown = (Exception)(exception == typeof(ObjectDisposedException) ? new ObjectDisposedException("socket") : Activator.CreateInstance(exception)!);

        UserOf((_, _, _) => throw thrown).ShouldBe(PeerUser.Unknown);

        _log.Events.ShouldBe(isReported ? [1211] : []);
    }

    [Fact]
    public void A_closed_socket_has_no_user()
    {
        _accepted.Dispose();

        UserOf((_, _, _) => Open).ShouldBe(PeerUser.Unknown);
    }

    [Fact]
    public void A_unix_socket_has_the_user_who_connected()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(path));
        using Socket accepted = listener.Accept();
        File.Delete(path);

        new LoopbackPeers(_paced).FindUser(accepted).ShouldBe(PeerUser.Known(new OperatingSystemUsers().CurrentId!.Value));
    }

    [Fact]
    public void The_kernel_itself_knows_both_ends() =>
        new LoopbackPeers(_paced).FindUser(_accepted).ShouldBe(PeerUser.Known(new OperatingSystemUsers().CurrentId!.Value));

    [Fact]
    public void A_request_has_the_user_of_its_socket()
    {
        var context = new DefaultHttpContext();
        var peers = new LoopbackPeers(_paced, (_, _, _) => Open);
        peers.Of(context)().ShouldBe(PeerUser.Unknown, "it has no socket");
        context.Features.Set<IConnectionSocketFeature>(new Connected(_accepted));

        peers.Of(context)().ShouldBe(PeerUser.Known(1000));
    }

    [Fact]
    public void The_kernel_is_asked_once_for_the_requests_of_a_connection_but_again_while_the_user_is_unknown()
    {
        var context = new DefaultHttpContext();
        context.Features.Set<IConnectionSocketFeature>(new Connected(_accepted));
        int asked = 0;
        bool knows = false;
        var peers = new LoopbackPeers(_paced, (_, _, _) => ++asked > 0 && knows ? Open : null);
        peers.Of(context)().ShouldBe(PeerUser.Unknown);
        knows = true;

        peers.Of(context)().ShouldBe(PeerUser.Known(1000));
        int before = asked;
        peers.Of(context)().ShouldBe(PeerUser.Known(1000));

        asked.ShouldBe(before);
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        client.Connect(_listener.LocalEndPoint!);
        using Socket other = _listener.Accept();
        context.Features.Set<IConnectionSocketFeature>(new Connected(other));
        peers.Of(context)().ShouldBe(PeerUser.Known(1000));
        asked.ShouldBeGreaterThan(before, "another connection may be another user's");
    }

    private PeerUser UserOf(FindTcpSocket find) => new LoopbackPeers(_paced, find).FindUser(_accepted);

    private sealed class Connected(Socket socket) : IConnectionSocketFeature
    {
        public Socket Socket => socket;
    }

    private sealed class Lines : ILogger<LoopbackPeers>
    {
        public List<int> Events { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Events.Add(eventId.Id);
    }
}
