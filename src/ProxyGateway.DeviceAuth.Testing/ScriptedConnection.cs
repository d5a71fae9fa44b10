using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>
/// A connection that reached a <see cref="ScriptedBackend"/>: what it received, and the steps of a script. Only the script may call them.
/// </summary>
public sealed class ScriptedConnection
{
    private readonly ConcurrentQueue<string> _received = [];
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal ScriptedConnection(HttpContext context, WebSocket socket)
    {
        WebSocket = socket;
        PathAndQuery = $"{context.Request.Path}{context.Request.QueryString}";
        Headers = new HeaderDictionary(context.Request.Headers.ToDictionary());
        Aborted = context.RequestAborted;
    }

    /// <summary>The connection itself. Messages that are received from it directly are not in <see cref="Received"/>.</summary>
    public WebSocket WebSocket { get; }

    /// <summary>The path and query of the upgrade request.</summary>
    public string PathAndQuery { get; }

    /// <summary>The headers of the upgrade request.</summary>
    public IHeaderDictionary Headers { get; }

    /// <summary>Cancelled when the connection is lost, or the backend stops.</summary>
    public CancellationToken Aborted { get; }

    /// <summary>The nonce of the challenge.</summary>
    public string Nonce { get; } = Guid.NewGuid().ToString();

    /// <summary>The <c>connect</c> request; null until it was received.</summary>
    public JsonElement? Connect { get; private set; }

    /// <summary>Every text message that was received, in order.</summary>
    public IReadOnlyList<string> Received => [.. _received];

    /// <summary>Completes when the script has ended, or the connection was lost; fails if the script fails.</summary>
    public Task Completion => _completion.Task;

    /// <summary>Sends the challenge.</summary>
    public Task ChallengeAsync() => SendAsync(new JsonObject
    {
        ["type"] = "event",
        ["event"] = "connect.challenge",
        ["payload"] = new JsonObject { ["nonce"] = Nonce, ["ts"] = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() },
    });

    /// <summary>Receives the <c>connect</c> request; null if the other side closes first.</summary>
    /// <exception cref="JsonException">The message is no JSON.</exception>
    public async Task<JsonElement?> ReceiveConnectAsync()
    {
        if (await ReceiveTextAsync() is not { } text)
            return null;
        using JsonDocument document = JsonDocument.Parse(text);
        return Connect = document.RootElement.Clone();
    }

    /// <summary>Accepts the <c>connect</c> request.</summary>
    public Task AcceptAsync() => AnswerAsync(new JsonObject
    {
        ["ok"] = true,
        ["payload"] = new JsonObject { ["type"] = "hello-ok", ["protocol"] = 4 },
    });

    /// <summary>Refuses the <c>connect</c> request. The script decides about the connection.</summary>
    /// <param name="code">The error's code.</param>
    /// <param name="message">The error's message.</param>
    public Task RefuseAsync(string code, string message) => AnswerAsync(new JsonObject
    {
        ["ok"] = false,
        ["error"] = new JsonObject { ["code"] = code, ["message"] = message },
    });

    /// <summary>Sends back each message, until the other side closes.</summary>
    public async Task EchoAsync()
    {
        while (await ReceiveTextAsync() is { } text)
            await SendTextAsync(text);
    }

    /// <summary>Sends a text message.</summary>
    /// <param name="text">The message.</param>
    public Task SendTextAsync(string text) => WebSocket.SendTextAsync(text, Aborted);

    /// <summary>Receives a text message; null once the other side has closed.</summary>
    public async Task<string?> ReceiveTextAsync()
    {
        string? text = await WebSocket.ReceiveTextAsync(Aborted);
        if (text is not null)
            _received.Enqueue(text);
        return text;
    }

    internal async Task RunAsync(Func<ScriptedConnection, Task> script)
    {
        try
        {
            await script(this);
            if (WebSocket.State is WebSocketState.Open or WebSocketState.CloseReceived)
                await WebSocket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, statusDescription: null, Aborted);
            _completion.TrySetResult();
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            _completion.TrySetResult(); // the connection is lost: tests look at what was received before
        }
        catch (Exception e)
        {
            _completion.TrySetException(e);
            WebSocket.Abort();
        }
    }

    private Task AnswerAsync(JsonObject answer)
    {
        answer["type"] = "res";
        answer["id"] = Connect is { } connect ? connect.GetProperty("id").GetString() : throw new InvalidOperationException("No connect request has come.");
        return SendAsync(answer);
    }

    private Task SendAsync(JsonObject message) => SendTextAsync(message.ToJsonString());
}
