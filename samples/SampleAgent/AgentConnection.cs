using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace SampleAgent;

/// <summary>One connection: a challenge, a <c>connect</c> request, and then requests that are answered in turn.</summary>
internal sealed class AgentConnection(WebSocket socket)
{
    private const int Protocol = 4;
    private const int MaxMessageBytes = 1024 * 1024;
    private bool _connected;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await SendAsync(Event("connect.challenge", new JsonObject
        {
            ["nonce"] = Guid.NewGuid().ToString(),
            ["ts"] = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(),
        }), cancellationToken);

        while (await ReceiveAsync(cancellationToken) is { } message)
        {
            if (message["type"]?.ToString() == "req" && message["id"] is { } id)
                await SendAsync(Answer(id.ToString(), message["method"]?.ToString(), message["params"]), cancellationToken);
        }
    }

    private JsonObject Answer(string id, string? method, JsonNode? parameters) => (method, _connected) switch
    {
        ("connect", false) => Connect(id, parameters),
        (_, false) => Error(id, "INVALID_REQUEST", "the first request must be connect"),
        ("connect", true) => Error(id, "INVALID_REQUEST", "connected already"),
        ("health", true) => Result(id, new JsonObject { ["ok"] = true, ["ts"] = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() }),
        _ => Result(id, new JsonObject { ["method"] = method, ["echo"] = parameters?.DeepClone() }),
    };

    private JsonObject Connect(string id, JsonNode? parameters)
    {
        _connected = true;
        string role = parameters?["role"]?.ToString() ?? "operator";
        Console.WriteLine($"A device connected as {role}");
        return Result(id, new JsonObject
        {
            ["type"] = "hello-ok",
            ["protocol"] = Protocol,
            ["server"] = new JsonObject { ["version"] = "sample", ["connId"] = Guid.NewGuid().ToString() },
            ["auth"] = new JsonObject { ["role"] = role, ["scopes"] = parameters?["scopes"]?.DeepClone() },
        });
    }

    private static JsonObject Event(string name, JsonObject payload) => new() { ["type"] = "event", ["event"] = name, ["payload"] = payload };

    private static JsonObject Result(string id, JsonObject payload) => new() { ["type"] = "res", ["id"] = id, ["ok"] = true, ["payload"] = payload };

    private static JsonObject Error(string id, string code, string message) => new()
    {
        ["type"] = "res",
        ["id"] = id,
        ["ok"] = false,
        ["error"] = new JsonObject { ["code"] = code, ["message"] = message },
    };

    private async Task SendAsync(JsonObject message, CancellationToken cancellationToken) =>
        await socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(message), WebSocketMessageType.Text, endOfMessage: true, cancellationToken);

    /// <summary>The next message; null once the other side has closed, or sent what is not a JSON object.</summary>
    private async Task<JsonObject?> ReceiveAsync(CancellationToken cancellationToken)
    {
        using var message = new MemoryStream();
        byte[] buffer = new byte[16 * 1024];
        WebSocketReceiveResult received;
        do
        {
            received = await socket.ReceiveAsync(buffer, cancellationToken);
            if (received.MessageType == WebSocketMessageType.Close)
            {
                await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, statusDescription: null, cancellationToken);
                return null;
            }

            message.Write(buffer, 0, received.Count);
            if (message.Length > MaxMessageBytes)
            {
                await socket.CloseAsync(WebSocketCloseStatus.MessageTooBig, "message too big", cancellationToken);
                return null;
            }
        }
        while (!received.EndOfMessage);

        try
        {
            return JsonNode.Parse(message.ToArray()) as JsonObject;
        }
        catch (JsonException)
        {
            await socket.CloseAsync(WebSocketCloseStatus.InvalidPayloadData, "not JSON", cancellationToken);
            return null;
        }
    }
}
