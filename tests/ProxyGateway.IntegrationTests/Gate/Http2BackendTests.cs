using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.DeviceAuth.WebSockets;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Backends that speak WebSocket over HTTP/2 (RFC 8441), where no 101 but a 200 to a CONNECT request switches.</summary>
public sealed class Http2BackendTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("gate-").FullName;
    private readonly Channel<FrameConnection> _connections = Channel.CreateUnbounded<FrameConnection>();
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private int _status = 200;
    private bool _saysTooMuch;
    private WebApplication _backend = null!;
    private TestGateway _gateway = null!;

    public async Task InitializeAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(o => o.ListenLocalhost2());
        builder.Logging.ClearProviders();
        _backend = builder.Build();
        _backend.Run(ServeAsync);
        await _backend.StartAsync();
        var routes = new InMemoryConfigProvider(
            [new RouteConfig { RouteId = "h2", ClusterId = "h2", Match = new RouteMatch { Path = "/h2/{**path}" } }],
            [
                new ClusterConfig
                {
                    ClusterId = "h2",
                    HttpRequest = new ForwarderRequestConfig { Version = new Version(2, 0), VersionPolicy = HttpVersionPolicy.RequestVersionExact },
                    Destinations = new Dictionary<string, DestinationConfig> { ["local"] = new() { Address = _backend.Urls.First() } },
                },
            ]);
        _gateway = await TestGateway.StartAsync(SharedGateway.Generous, services: s =>
        {
            s.AddSingleton<IProxyConfigProvider>(routes);
            s.AddSqliteDeviceStore(new SqliteStoreOptions { Path = Path.Combine(_folder, "registry.db") });
        }, time: _time);
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        using var patience = new CancellationTokenSource(TimeSpan.Zero);
        await _backend.StopAsync(patience.Token);
        await _backend.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_device_is_admitted_to_an_HTTP2_backend_and_closed_on_removal()
    {
        var device = new TestDevice();
        FrameConnection client = await TestClient.OpenAsync(_gateway.Port, "/h2/");
        FrameConnection backend = await _connections.Reader.ReadAsync();
        (await client.ReceiveJsonAsync()).GetProperty("event").GetString().ShouldBe("connect.challenge");
        await client.SendTextAsync(new Ask().SignedBy(device));
        (await TestClient.OutcomeAsync(client)).ShouldBeAdmitted();
        await client.SendTextAsync("a request");
        (await client.ReceiveAsync())!.Text.ShouldBe("a request");

        (await _gateway.RemoveAsync(device)).ShouldBeTrue();

        Frame close = await client.ReceiveCloseAsync();
        (close.CloseCode, close.CloseReason).ShouldBe((1008, "device removed"));
        await backend.Completion;
        (await backend.ReceivedFramesAsync())[^1].Opcode.ShouldBe(Opcode.Close);
        await client.DisposeAsync();
        await ShouldEndAsync();
    }

    [Fact]
    public async Task A_client_gets_only_the_headers_of_a_200_that_complete_the_upgrade()
    {
        _saysTooMuch = true;

        (int status, string head, Stream stream) = await TestClient.RequestAsync(_gateway.Port, "/h2/", headers: ["Sec-WebSocket-Protocol: chat"]);

        await stream.DisposeAsync();
        status.ShouldBe(101, head);
        head.ShouldNotContain("secret", Case.Insensitive);
        string[] names = [.. head.Split("\r\n", StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(l => l.Split(':')[0])];
        names.Order(StringComparer.OrdinalIgnoreCase).ShouldBe(["Connection", "Date", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Server", "Upgrade"]);
        await ShouldEndAsync();
    }

    [Fact]
    public async Task An_HTTP2_backend_gets_nothing_from_a_refused_client()
    {
        FrameConnection client = await TestClient.OpenAsync(_gateway.Port, "/h2/");
        FrameConnection backend = await _connections.Reader.ReadAsync();
        (await client.ReceiveJsonAsync()).GetProperty("event").GetString().ShouldBe("connect.challenge");
        await client.SendTextAsync(new Ask { Nonce = "another" }.SignedBy(new TestDevice()));

        (await client.ReceiveCloseAsync()).CloseReason.ShouldBe("device nonce mismatch");
        await backend.Completion;
        backend.Received.Length.ShouldBe(0);
        await client.DisposeAsync();
        await ShouldEndAsync();
    }

    [Theory]
    [InlineData(201)]
    [InlineData(202)]
    [InlineData(206)]
    [InlineData(299)]
    [InlineData(403)]
    public async Task Any_answer_but_200_is_502_with_nothing_from_the_backend(int status)
    {
        _status = status;

        (int answer, string head, Stream stream) = await TestClient.RequestAsync(_gateway.Port, "/h2/", headers: ["Connection: Upgrade, close"]);

        await using (stream)
        {
            string text = head + await new StreamReader(stream).ReadToEndAsync();
            answer.ShouldBe(502, text);
            text.ShouldNotContain("secret", Case.Insensitive);
        }

        await ShouldEndAsync();
    }

    private async Task ShouldEndAsync() => await Eventually.HoldsAsync(
        () => Task.FromResult(_gateway.Budgets.InUse == 0 && _gateway.Sessions.Count == 0), "all is given back");

    private async Task ServeAsync(HttpContext context)
    {
        context.Response.StatusCode = _status;
        if (_saysTooMuch)
        {
            BackendTests.SayTooMuch(context.Response.Headers, "chat");
            context.Response.AppendTrailer("X-Trailer", "secret");
        }

        if (_status != 200)
            context.Response.Headers["X-Backend"] = "secret";
        if (_status >= 300)
        {
            await context.Response.WriteAsync("a secret of the backend");
            return;
        }

        Stream stream = await context.Features.GetRequiredFeature<IHttpExtendedConnectFeature>().AcceptAsync();
        await using var connection = new FrameConnection(stream, masks: false) { Request = context };
        _connections.Writer.TryWrite(connection);
        try
        {
            if (_status == 200)
                await TestBackend.AgentAsync(connection);
            else
                await connection.SendTextAsync("a secret of the backend");
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The gate is gone: tests look at what came before.
        }
        finally
        {
            connection.Complete();
        }
    }
}
