using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Clients that hang up at once, and connections that no longer say whose they were: nobody is let in, and nothing is thrown.</summary>
public sealed class HangUpTests
{
    private const int Connections = 20;
    private const int Streams = 50;
    private readonly ConcurrentQueue<Exception> _thrown = [];
    private int _begun;
    private int _ended;

    [Theory]
    [InlineData("CONNECT", null)]
    [InlineData("GET", null)]
    [InlineData("GET", "Allow")]
    public async Task A_client_over_HTTP2_that_hangs_up_at_once_logs_nothing(string method, string? http)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(
            SharedGateway.Generous, http is null ? null : new() { ["DeviceAuth.Http"] = http }, kestrel: k => k.ListenLocalhost2(), before: Watch);
        byte[] requests = Requests(method);

        for (int i = 0; i < Connections; i++)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.LingerState = new LingerOption(true, 0);
            await socket.ConnectAsync(IPAddress.Loopback, gateway.Ports[2]);
            await socket.SendAsync(requests);
            int begun = i;
            await Eventually.HoldsAsync(() => Task.FromResult(Volatile.Read(ref _begun) > begun), "requests are served");
        }

        await ShouldBeQuietAsync(gateway);
    }

    [Theory]
    [InlineData(true, null)]
    [InlineData(false, null)]
    [InlineData(false, "Allow")]
    public async Task A_closed_socket_has_no_user(bool upgrades, string? http)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(metadata: http is null ? null : new() { ["DeviceAuth.Http"] = http }, before: app =>
        {
            Watch(app);
            app.Use((context, next) =>
            {
                context.Features.Get<IConnectionSocketFeature>()!.Socket.Dispose();
                return next(context);
            });
        });

        string[] headers = upgrades ? [] : ["Connection: close", "Upgrade:", "Sec-WebSocket-Key:", "Sec-WebSocket-Version:"];
        try
        {
            (int status, _, Stream stream) = await TestClient.RequestAsync(gateway.Port, headers: headers);
            await stream.DisposeAsync();
            status.ShouldBe(0);
        }
        catch (IOException)
        {
            // It is reset, or it ends.
        }

        await ShouldBeQuietAsync(gateway);
        if (upgrades)
            gateway.Backend.Requests.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_failure_in_the_gate_is_refused_and_its_log_is_limited()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(SharedGateway.Generous, before: app =>
        {
            Watch(app);
            app.Use((context, next) =>
            {
                context.Features.Set<IConnectionEndPointFeature>(new Faulty());
                return next(context);
            });
        });

        for (int i = 0; i < 40; i++)
        {
            (int status, string head, Stream stream) = await TestClient.RequestAsync(gateway.Port);
            await stream.DisposeAsync();
            status.ShouldBe(500, head);
        }

        _thrown.ShouldBeEmpty();
        gateway.Log.Of(1213).Count().ShouldBe(30);
        gateway.Backend.Requests.ShouldBeEmpty();
    }

    private void Watch(WebApplication app) => app.Use(async (context, next) =>
    {
        Interlocked.Increment(ref _begun);
        try
        {
            await next(context);
        }
        catch (Exception e)
        {
            _thrown.Enqueue(e);
            throw;
        }
        finally
        {
            Interlocked.Increment(ref _ended);
        }
    });

    private async Task ShouldBeQuietAsync(TestGateway gateway)
    {
        await Eventually.HoldsAsync(() => Task.FromResult(Volatile.Read(ref _ended) == Volatile.Read(ref _begun) && _begun > 0 && gateway.Budgets.InUse == 0), "all have ended");
        _thrown.ShouldBeEmpty();
        gateway.Log.Lines.Where(l => l.Level >= LogLevel.Error).ShouldBeEmpty();
        gateway.Log.Of(1213).ShouldBeEmpty();
        gateway.Sessions.Count.ShouldBe(0);
    }

    /// <summary>Many requests over one connection, RFC 9113, with headers spelled out, RFC 7541 §6.2.2.</summary>
    private static byte[] Requests(string method)
    {
        (string, string)[] fields = [(":method", method), (":scheme", "http"), (":path", "/"), (":authority", "localhost")];
        if (method == "CONNECT")
            fields = [.. fields, (":protocol", "websocket"), ("sec-websocket-version", "13")];
        using var block = new MemoryStream();
        foreach ((string name, string value) in fields)
        {
            block.WriteByte(0);
            foreach (string text in (string[])[name, value])
            {
                block.WriteByte((byte)text.Length);
                block.Write(Encoding.ASCII.GetBytes(text));
            }
        }

        using var bytes = new MemoryStream();
        bytes.Write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8);
        bytes.Write([0, 0, 0, 4, 0, 0, 0, 0, 0]); // SETTINGS
        for (int stream = 1; stream < 2 * Streams; stream += 2)
        {
            byte flags = method == "CONNECT" ? (byte)0x4 : (byte)0x5; // END_HEADERS, END_STREAM
            bytes.Write([0, 0, (byte)block.Length, 1, flags, 0, 0, 0, (byte)stream]);
            block.WriteTo(bytes);
        }

        return bytes.ToArray();
    }

    private sealed class Faulty : IConnectionEndPointFeature
    {
        public EndPoint? LocalEndPoint { get; set; }

        public EndPoint? RemoteEndPoint
        {
            get => throw new InvalidOperationException("a bug");
            set => throw new NotSupportedException();
        }
    }
}
