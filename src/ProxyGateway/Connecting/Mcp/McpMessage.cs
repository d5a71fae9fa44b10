using System.Text.Json;

namespace ProxyGateway.Connecting.Mcp;

/// <summary>A JSON-RPC message as it came, and the parts of it that decide how it is forwarded.</summary>
internal sealed class McpMessage
{
    private const string RevisionMember = "io.modelcontextprotocol/protocolVersion";

    // Asked a second time, each of these does no harm. A tool may.
    private static readonly HashSet<string> SafeMethods =
    [
        "initialize", "server/discover", "ping", "tools/list", "prompts/list", "prompts/get", "resources/list", "resources/templates/list", "resources/read",
        "resources/subscribe", "resources/unsubscribe", "subscriptions/listen", "completion/complete", "logging/setLevel", "tasks/get", "tasks/list", "tasks/result",
    ];

    private McpMessage(ReadOnlyMemory<byte> utf8) => Utf8 = utf8;

    /// <summary>The JSON, without line ends.</summary>
    public ReadOnlyMemory<byte> Utf8 { get; }

    /// <summary>The method of a request or notification.</summary>
    public string? Method { get; private init; }

    /// <summary>The id of a request or its answer as JSON text, the same for the same id however it was written; null: a notification, or an answer to nothing.</summary>
    public string? Id { get; private init; }

    public bool IsRequest => Method is not null && Id is not null;

    public bool IsAnswer => Method is null;

    /// <summary>Whether it is an answer that is an error.</summary>
    public bool IsError { get; private init; }

    /// <summary>What the error says.</summary>
    public string? ErrorMessage { get; private init; }

    /// <summary>What the request is about: a tool, a prompt, a resource or a task.</summary>
    public string? Name { get; private init; }

    /// <summary>The revision of the protocol that a message names itself, as from 2026-07-28 on; null with older ones.</summary>
    public string? Revision { get; private init; }

    /// <summary>The request that a notification cancels.</summary>
    public string? CancelledId { get; private init; }

    /// <summary>Whether the request may be sent again if nobody knows what became of it.</summary>
    public bool IsSafe => Method is not null && SafeMethods.Contains(Method);

    /// <summary>Reads a message; null if it is none.</summary>
    public static McpMessage? Parse(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(utf8);
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !IdOf(root, "id", out string? id))
                return null;
            string? method = TextIn(root, "method");
            if (method is null && !root.TryGetProperty("result", out _) && !root.TryGetProperty("error", out _))
                return null;
            JsonElement parameters = MemberOf(root, "params");
            JsonElement error = method is null ? MemberOf(root, "error") : default;
            return new McpMessage(OneLine(utf8))
            {
                Method = method,
                Id = id,
                IsError = error.ValueKind == JsonValueKind.Object,
                ErrorMessage = TextIn(error, "message"),
                Name = NameIn(method, parameters),
                Revision = TextIn(MemberOf(parameters, "_meta"), RevisionMember),
                CancelledId = method == "notifications/cancelled" && IdOf(parameters, "requestId", out string? cancelled) ? cancelled : null,
            };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null; // also text that is no UTF-8
        }
    }

    /// <summary>The protocol's version in an answer to <c>initialize</c>.</summary>
    public string? NegotiatedRevision()
    {
        using JsonDocument document = JsonDocument.Parse(Utf8);
        return TextIn(MemberOf(document.RootElement, "result"), "protocolVersion");
    }

    /// <summary>The resource of a subscription.</summary>
    public string? SubscribedTo()
    {
        using JsonDocument document = JsonDocument.Parse(Utf8);
        return TextIn(MemberOf(document.RootElement, "params"), "uri");
    }

    private static string? NameIn(string? method, JsonElement parameters) => method switch
    {
        "tools/call" or "prompts/get" => TextIn(parameters, "name"),
        "resources/read" => TextIn(parameters, "uri"),
        "tasks/get" or "tasks/update" or "tasks/cancel" => TextIn(parameters, "taskId"),
        _ => null,
    };

    private static bool IdOf(JsonElement element, string name, out string? id)
    {
        JsonElement member = MemberOf(element, name);
        id = member.ValueKind switch
        {
            JsonValueKind.String => JsonSerializer.Serialize(member.GetString()!, McpJsonContext.Default.String),
            JsonValueKind.Number => member.GetRawText(),
            _ => null,
        };
        return id is not null || member.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null;
    }

    private static JsonElement MemberOf(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement member) ? member : default;

    private static string? TextIn(JsonElement element, string name) =>
        MemberOf(element, name) is { ValueKind: JsonValueKind.String } member ? member.GetString() : null;

    // Within JSON a line end is white space: in a text it is escaped.
    private static ReadOnlyMemory<byte> OneLine(ReadOnlyMemory<byte> utf8) =>
        utf8.Span.IndexOfAny("\r\n"u8) < 0 ? utf8 : utf8.ToArray().Where(b => b is not ((byte)'\r' or (byte)'\n')).ToArray();
}
