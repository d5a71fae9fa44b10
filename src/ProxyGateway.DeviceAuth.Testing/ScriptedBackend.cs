using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>
/// An agent service behind the gate: Kestrel on a free port of 127.0.0.1. It runs its script on each connection, and records what it
/// received.
/// </summary>
public sealed class ScriptedBackend : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<ScriptedConnection> _connections = [];
    private readonly ConcurrentQueue<string> _requests = [];

    private ScriptedBackend(WebApplication app, Func<ScriptedConnection, Task> script) => (_app, Script) = (app, script);

    /// <summary>Its address.</summary>
    public Uri Address => new(_app.Urls.First());

    /// <summary>The script for new connections.</summary>
    public Func<ScriptedConnection, Task> Script { get; set; }

    /// <summary>The connections that reached it, oldest first.</summary>
    public IReadOnlyList<ScriptedConnection> Connections => [.. _connections];

    /// <summary>
    /// The requests that were no WebSocket upgrades, as in <c>GET /status?x=1</c>, oldest first. Each was answered with 200.
    /// </summary>
    public IReadOnlyList<string> Requests => [.. _requests];

    /// <summary>Starts a backend.</summary>
    /// <param name="script">The script; null for <see cref="AgentAsync"/>.</param>
    public static async Task<ScriptedBackend> StartAsync(Func<ScriptedConnection, Task>? script = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        WebApplication app = builder.Build();
        var backend = new ScriptedBackend(app, script ?? AgentAsync);
        app.UseWebSockets();
        app.Run(backend.ServeAsync);
        await app.StartAsync();
        return backend;
    }

    /// <summary>Challenges, accepts one <c>connect</c>, and echoes.</summary>
    /// <param name="connection">The connection.</param>
    public static async Task AgentAsync(ScriptedConnection connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        await connection.ChallengeAsync();
        if (await connection.ReceiveConnectAsync() is null)
            return;
        await connection.AcceptAsync();
        await connection.EchoAsync();
    }

    /// <summary>Ends every connection, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.Zero);
        await _app.StopAsync(patience.Token);
        await _app.DisposeAsync();
    }

    private async Task ServeAsync(HttpContext context)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            _requests.Enqueue($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}");
            return;
        }

        var connection = new ScriptedConnection(context, await context.WebSockets.AcceptWebSocketAsync());
        _connections.Enqueue(connection);
        await connection.RunAsync(Script);
    }
}
