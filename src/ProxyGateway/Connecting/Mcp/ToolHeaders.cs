using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;

namespace ProxyGateway.Connecting.Mcp;

/// <summary>
/// Parameters of tools that a server wants in headers, too (<c>x-mcp-header</c> in a tool's schema, from revision 2026-07-28 on). Learnt from the lists that pass.
/// </summary>
internal sealed class ToolHeaders
{
    private const int MaxTools = 4096;
    private const int MaxHeaders = 32;
    private const int MaxDepth = 8;
    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    private readonly ConcurrentDictionary<string, IReadOnlyList<(string Header, string[] Path)>> _tools = [];

    /// <summary>Learns from an answer to <c>tools/list</c>.</summary>
    public void Learn(McpMessage answer)
    {
        using JsonDocument document = JsonDocument.Parse(answer.Utf8);
        if (!TryGet(document.RootElement, "result", out JsonElement result) || !TryGet(result, "tools", out JsonElement tools) || tools.ValueKind != JsonValueKind.Array)
            return;
        foreach (JsonElement tool in tools.EnumerateArray())
        {
            if (!TryGet(tool, "name", out JsonElement name) || name.ValueKind != JsonValueKind.String)
                continue;
            var found = new List<(string, string[])>();
            if (TryGet(tool, "inputSchema", out JsonElement schema))
                Find(schema, [], found);
            if (found.Count == 0)
                _tools.TryRemove(name.GetString()!, out _);
            else if (_tools.Count < MaxTools)
                _tools[name.GetString()!] = found;
        }
    }

    /// <summary>The headers of a call.</summary>
    public IEnumerable<(string Header, string Value)> Of(McpMessage call)
    {
        if (call is not { Method: "tools/call", Name: { } name } || !_tools.TryGetValue(name, out var headers))
            yield break;
        using JsonDocument document = JsonDocument.Parse(call.Utf8);
        if (!TryGet(document.RootElement, "params", out JsonElement parameters) || !TryGet(parameters, "arguments", out JsonElement arguments))
            yield break;
        foreach ((string header, string[] path) in headers)
        {
            JsonElement value = arguments;
            if (path.All(step => TryGet(value, step, out value)) && TextOf(value) is { } text)
                yield return (header, text);
        }
    }

    private static void Find(JsonElement schema, string[] path, List<(string Header, string[] Path)> found)
    {
        if (path.Length >= MaxDepth || !TryGet(schema, "properties", out JsonElement properties) || properties.ValueKind != JsonValueKind.Object)
            return;
        foreach (JsonProperty property in properties.EnumerateObject())
        {
            string[] inner = [.. path, property.Name];
            if (found.Count < MaxHeaders && TryGet(property.Value, "x-mcp-header", out JsonElement mark) && mark.ValueKind == JsonValueKind.String
                && mark.GetString() is { Length: > 0 and <= 128 } name && !name.AsSpan().ContainsAnyExcept(TokenCharacters))
            {
                found.Add(("Mcp-Param-" + name, inner));
            }

            Find(property.Value, inner, found);
        }
    }

    private static string? TextOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        JsonValueKind.Number => value.TryGetInt64(out long number) ? number.ToString(CultureInfo.InvariantCulture) : value.GetRawText(),
        _ => null,
    };

    private static bool TryGet(JsonElement element, string name, out JsonElement member)
    {
        member = default;
        return element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out member);
    }
}
