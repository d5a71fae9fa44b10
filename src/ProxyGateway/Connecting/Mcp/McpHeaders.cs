using System.Net.Http.Headers;
using System.Text;

namespace ProxyGateway.Connecting.Mcp;

/// <summary>The headers of MCP's streamable HTTP, which repeat parts of the body.</summary>
internal static class McpHeaders
{
    public const string Session = "Mcp-Session-Id";
    public const string Revision = "MCP-Protocol-Version";
    private const string EncodedPrefix = "=?base64?";
    private const string EncodedSuffix = "?=";

    /// <summary>Adds those of a message.</summary>
    public static void Add(HttpRequestHeaders headers, McpMessage message, McpSession? session, ToolHeaders tools)
    {
        headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        if (message.Method is { } method)
            headers.TryAddWithoutValidation("Mcp-Method", Encode(method));
        if (message.Name is { } name)
            headers.TryAddWithoutValidation("Mcp-Name", Encode(name));
        if (message.Revision is { } revision)
        {
            headers.TryAddWithoutValidation(Revision, Encode(revision));
            foreach ((string header, string value) in tools.Of(message))
                headers.TryAddWithoutValidation(header, Encode(value));
        }
        else
        {
            Add(headers, session);
        }
    }

    /// <summary>Adds those of a session.</summary>
    public static void Add(HttpRequestHeaders headers, McpSession? session)
    {
        if (session?.Id is { } id)
            headers.TryAddWithoutValidation(Session, id);
        if (session?.Revision is { } revision)
            headers.TryAddWithoutValidation(Revision, Encode(revision));
    }

    /// <summary>A text as the value of a header. A comma or a quote is encoded, too: proxies may take the value for a list.</summary>
    public static string Encode(string text)
    {
        bool isPlain = text.Length > 0
            && !text.AsSpan().ContainsAnyExceptInRange(' ', '~')
            && !text.AsSpan().ContainsAny(',', '"')
            && text[0] != ' ' && text[^1] != ' '
            && !(text.StartsWith(EncodedPrefix, StringComparison.Ordinal) && text.EndsWith(EncodedSuffix, StringComparison.Ordinal));
        return isPlain ? text : EncodedPrefix + Convert.ToBase64String(Encoding.UTF8.GetBytes(text)) + EncodedSuffix;
    }
}
