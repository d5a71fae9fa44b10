using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>An agent behind the gate. By default it challenges, accepts every <c>connect</c> and echoes; tests script it otherwise.</summary>
internal sealed class TestBackend : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Channel<FrameConnection> _connections = Channel.CreateUnbounded<FrameConnection>();

    private TestBackend(WebApplication app) => _app = app;

    /// <summary>What the backend does with a connection.</summary>
    public Func<FrameConnection, Task> Script { get; set; } = AgentAsync;

    /// <summary>What it does with an upgraded stream, if it does not go frame by frame.</summary>
    public Func<Stream, HttpContext, Task>? Raw { get; set; }

    /// <summary>What it does with a request that it does not upgrade; null if it upgrades.</summary>
    public Func<HttpContext, Task>? Http { get; set; }

    /// <summary>The headers of the requests that came.</summary>
    public ConcurrentQueue<IHeaderDictionary> Requests { get; } = [];

    public string Address => _app.Urls.First();

    public static async Task<TestBackend> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        WebApplication app = builder.Build();
        var backend = new TestBackend(app);
        app.Run(backend.ServeAsync);
        await app.StartAsync();
        return backend;
    }

    /// <summary>The next connection that was opened.</summary>
    public async Task<FrameConnection> AcceptAsync()
    {
        using var timeout = new CancellationTokenSource(Eventually.Patience);
        return await _connections.Reader.ReadAsync(timeout.Token);
    }

    /// <summary>A connection that was opened and not accepted yet; null if there is none.</summary>
    public FrameConnection? TryAccept() => _connections.Reader.TryRead(out FrameConnection? connection) ? connection : null;

    /// <summary>The default script.</summary>
    public static async Task AgentAsync(FrameConnection client)
    {
        await client.SendTextAsync(Protocol.Challenge("a-nonce"));
        await AnswerAsync(client);
    }

    /// <summary>A script for tests that play the backend themselves: challenges, and leaves the rest to them until they complete the connection.</summary>
    public static async Task ChallengeAsync(FrameConnection client)
    {
        await client.SendTextAsync(Protocol.Challenge("a-nonce"));
        await client.Completion;
    }

    /// <summary>Accepts one connect and echoes from then on.</summary>
    public static async Task AnswerAsync(FrameConnection client)
    {
        bool connected = false;
        while (await client.ReceiveAsync(TimeSpan.FromMinutes(2)) is { } frame)
        {
            switch (frame.Opcode)
            {
                case Opcode.Close:
                    await client.SendAsync(Opcode.Close, frame.Payload);
                    return;
                case Opcode.Ping:
                    await client.SendAsync(Opcode.Pong, frame.Payload);
                    break;
                case Opcode.Text when !connected && frame.IsFinal:
                    connected = true;
                    await client.SendTextAsync(Protocol.HelloOk(frame.Json.GetProperty("id").GetString()!));
                    break;
                default:
                    await client.SendAsync(frame.Opcode, frame.Payload, frame.IsFinal);
                    break;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(patience.Token);
        await _app.DisposeAsync();
    }

    private async Task ServeAsync(HttpContext context)
    {
        Requests.Enqueue(context.Request.Headers);
        IHttpUpgradeFeature upgrade = context.Features.GetRequiredFeature<IHttpUpgradeFeature>();
        if (Http is { } http)
        {
            await http(context);
            return;
        }

        if (!upgrade.IsUpgradableRequest)
        {
            await context.Response.WriteAsync("plain HTTP reached the backend");
            return;
        }

        context.Response.Headers.Upgrade = "websocket";
        context.Response.Headers["Sec-WebSocket-Accept"] = Protocol.AcceptFor(context.Request.Headers.SecWebSocketKey!);
        if (Raw is { } raw)
        {
            await raw(await upgrade.UpgradeAsync(), context);
            return;
        }

        await using var connection = new FrameConnection(await upgrade.UpgradeAsync(), masks: false) { Request = context };
        _connections.Writer.TryWrite(connection);
        try
        {
            await Script(connection);
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
