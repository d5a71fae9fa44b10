using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate.Backends;

/// <summary>
/// A backend with a pairing of its own, as an OpenClaw gateway has: it refuses what it has not approved, and approves over a connection of the gate's, if
/// that shows the token. Honest unless a test has it answer otherwise.
/// </summary>
internal sealed class PairingBackend
{
    public const string Token = "backend-token";

    private readonly ConcurrentDictionary<string, JsonObject> _pending = [];
    private readonly ConcurrentDictionary<string, bool> _approved = [];
    private int _requests;

    /// <summary>The <c>connect</c> requests of the gate's own connections.</summary>
    public ConcurrentQueue<JsonElement> Helpers { get; } = [];

    /// <summary>Those connections.</summary>
    public ConcurrentQueue<FrameConnection> HelperConnections { get; } = [];

    /// <summary>What the gate has called, each as method and request id.</summary>
    public ConcurrentQueue<string> Calls { get; } = [];

    /// <summary>The ids of requests that it was asked to approve.</summary>
    public IEnumerable<string> Approvals => Calls.Where(c => c.StartsWith("device.pair.approve ", StringComparison.Ordinal)).Select(c => c.Split(' ')[1]);

    /// <summary>Whether the gate's own connection is let in.</summary>
    public string ExpectedToken { get; set; } = Token;

    /// <summary>Last changes to a request before it is listed.</summary>
    public Action<JsonObject> Distort { get; set; } = _ => { };

    /// <summary>Answers a call of the gate's in another way than an honest backend; null: the answer is an honest one.</summary>
    public Func<FrameConnection, JsonElement, Task>? AnswerCall { get; set; }

    /// <summary>Sends a refusal to a device in another way.</summary>
    public Func<FrameConnection, string, Task> SendRefusal { get; set; } = (device, refusal) => device.SendTextAsync(refusal);

    /// <summary>Last changes to the error of a refusal.</summary>
    public Action<JsonObject> DistortRefusal { get; set; } = _ => { };

    /// <summary>The ids of requests, in the order in which they were made.</summary>
    public ConcurrentQueue<string> RequestIds { get; } = [];

    /// <summary>For <see cref="TestBackend.Script"/>.</summary>
    public async Task ScriptAsync(FrameConnection connection)
    {
        await connection.SendTextAsync(Protocol.Challenge("a-nonce"));
        JsonElement connect = await connection.ReceiveJsonAsync();
        if (connect.GetProperty("params").GetProperty("client").GetProperty("id").GetString() == "gateway-client")
            await HelpAsync(connection, connect);
        else
            await AdmitAsync(connection, connect);
    }

    /// <summary>What an honest backend answers to a call of the gate's.</summary>
    public async Task AnswerHonestlyAsync(FrameConnection helper, JsonElement call)
    {
        if (call.GetProperty("method").GetString() == "device.pair.list")
        {
            var pending = new JsonArray([.. _pending.Values.Select(p => p.DeepClone())]);
            await RespondAsync(helper, call, new JsonObject { ["pending"] = pending, ["paired"] = new JsonArray() });
            return;
        }

        string requestId = call.GetProperty("params").GetProperty("requestId").GetString()!;
        if (!_pending.TryRemove(requestId, out JsonObject? request))
        {
            await helper.SendTextAsync(new JsonObject
            {
                ["type"] = "res",
                ["id"] = call.GetProperty("id").GetString(),
                ["ok"] = false,
                ["error"] = new JsonObject { ["code"] = "INVALID_REQUEST", ["message"] = "unknown requestId" },
            }.ToJsonString());
            return;
        }

        foreach (JsonNode? scope in request["scopes"]!.AsArray())
            _approved[$"{request["deviceId"]} {request["role"]} {scope}"] = true;
        await RespondAsync(helper, call, new JsonObject { ["requestId"] = requestId, ["device"] = new JsonObject { ["deviceId"] = (string)request["deviceId"]! } });
    }

    public static Task RespondAsync(FrameConnection helper, JsonElement call, JsonObject payload) => helper.SendTextAsync(new JsonObject
    {
        ["type"] = "res",
        ["id"] = call.GetProperty("id").GetString(),
        ["ok"] = true,
        ["payload"] = payload,
    }.ToJsonString());

    private async Task HelpAsync(FrameConnection helper, JsonElement connect)
    {
        Helpers.Enqueue(connect);
        HelperConnections.Enqueue(helper);
        string id = connect.GetProperty("id").GetString()!;
        if (connect.GetProperty("params").GetProperty("auth").GetProperty("token").GetString() != ExpectedToken)
        {
            await helper.SendTextAsync($$"""{"type":"res","id":"{{id}}","ok":false,"error":{"code":"INVALID_REQUEST","message":"unauthorized","details":{"code":"AUTH_TOKEN_MISMATCH"} } }""");
            await helper.CloseAsync(1008);
            return;
        }

        await helper.SendTextAsync("""{"type":"event","event":"tick","payload":{}}""");
        await helper.SendTextAsync(Protocol.HelloOk(id));
        while (await helper.ReceiveAsync(TimeSpan.FromMinutes(2)) is { Opcode: Opcode.Text } frame)
        {
            JsonElement call = frame.Json;
            Calls.Enqueue($"{call.GetProperty("method").GetString()} {(call.GetProperty("params").TryGetProperty("requestId", out JsonElement request) ? request.GetString() : "")}".Trim());
            await (AnswerCall ?? AnswerHonestlyAsync)(helper, call);
        }
    }

    private async Task AdmitAsync(FrameConnection device, JsonElement connect)
    {
        JsonElement parameters = connect.GetProperty("params");
        string deviceId = parameters.GetProperty("device").GetProperty("id").GetString()!;
        string role = parameters.GetProperty("role").GetString()!;
        string[] scopes = [.. parameters.GetProperty("scopes").EnumerateArray().Select(s => s.GetString()!)];
        string id = connect.GetProperty("id").GetString()!;
        if (scopes.All(scope => _approved.ContainsKey($"{deviceId} {role} {scope}")))
        {
            await device.SendTextAsync(Protocol.HelloOk(id));
            await device.ReceiveToEndAsync();
            return;
        }

        var request = new JsonObject
        {
            ["requestId"] = $"00000000-0000-4000-8000-{Interlocked.Increment(ref _requests):D12}",
            ["deviceId"] = deviceId,
            ["role"] = role,
            ["roles"] = new JsonArray(role),
            ["scopes"] = new JsonArray([.. scopes.Select(s => JsonValue.Create(s))]),
        };
        string requestId = (string)request["requestId"]!;
        RequestIds.Enqueue(requestId);
        Distort(request);
        _pending[requestId] = request;
        var error = new JsonObject
        {
            ["code"] = "NOT_PAIRED",
            ["message"] = "pairing required: device is asking for more scopes than currently approved",
            ["details"] = new JsonObject { ["code"] = "PAIRING_REQUIRED", ["reason"] = "scope-upgrade", ["requestId"] = requestId, ["deviceId"] = deviceId },
        };
        DistortRefusal(error);
        await SendRefusal(device, new JsonObject { ["type"] = "res", ["id"] = id, ["ok"] = false, ["error"] = error }.ToJsonString());
        await device.CloseAsync(1008);
        await device.ReceiveToEndAsync();
    }
}
