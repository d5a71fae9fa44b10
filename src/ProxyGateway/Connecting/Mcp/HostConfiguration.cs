using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ProxyGateway.Connecting.Mcp;

/// <summary>The lines that make a known host start this program.</summary>
internal static class HostConfiguration
{
    private static readonly Dictionary<string, (string File, Func<string, string[], string> Write)> Known = new()
    {
        ["claude-code"] = (".mcp.json of the project, or ~/.claude.json", (name, command) => Servers("mcpServers", name, command, "stdio")),
        ["claude-desktop"] = ("claude_desktop_config.json", (name, command) => Servers("mcpServers", name, command)),
        ["cursor"] = ("~/.cursor/mcp.json", (name, command) => Servers("mcpServers", name, command)),
        ["vscode"] = (".vscode/mcp.json", (name, command) => Servers("servers", name, command, "stdio")),
        ["codex"] = ("~/.codex/config.toml", Toml),
        ["opencode"] = ("opencode.json", OpenCode),
        ["gemini"] = ("~/.gemini/settings.json", (name, command) => Servers("mcpServers", name, command)),
    };

    public static IEnumerable<string> Hosts => Known.Keys;

    /// <summary>Where the lines belong.</summary>
    public static string FileOf(string host) => Known[host].File;

    /// <summary>The lines.</summary>
    /// <param name="host">One of <see cref="Hosts"/>.</param>
    /// <param name="url">The server's URL; its name among the host's servers is made of it.</param>
    /// <param name="command">The program and its arguments.</param>
    public static string Lines(string host, Uri url, string[] command) => Known[host].Write(NameOf(url), command);

    /// <summary>A short name, since hosts put it before each tool's: the last part of the path that says something, or the first of the host's name.</summary>
    public static string NameOf(Uri url)
    {
        string? last = url.AbsolutePath.Split('/', StringSplitOptions.RemoveEmptyEntries).LastOrDefault(part => part is not ("mcp" or "sse"));
        string first = url.HostNameType == UriHostNameType.Dns ? url.Host.Split('.')[0] : "agent";
        return new string([.. (last ?? first).Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' ? c : '-')]);
    }

    private static string Servers(string member, string name, string[] command, string? type = null) => Json(json =>
    {
        json.WriteStartObject(member);
        json.WriteStartObject(name);
        if (type is not null)
            json.WriteString("type", type);
        json.WriteString("command", command[0]);
        WriteArray(json, "args", command[1..]);
        json.WriteEndObject();
        json.WriteEndObject();
    });

    private static string OpenCode(string name, string[] command) => Json(json =>
    {
        json.WriteStartObject("mcp");
        json.WriteStartObject(name);
        json.WriteString("type", "local");
        WriteArray(json, "command", command);
        json.WriteBoolean("enabled", true);
        json.WriteEndObject();
        json.WriteEndObject();
    });

    private static string Toml(string name, string[] command) =>
        $"[mcp_servers.{name}]\ncommand = {TomlText(command[0])}\nargs = [{string.Join(", ", command[1..].Select(TomlText))}]\n";

    // A basic string (TOML 1.0, "String").
    private static string TomlText(string text)
    {
        var toml = new StringBuilder("\"");
        foreach (char c in text)
        {
            if (c is '"' or '\\')
                toml.Append('\\').Append(c);
            else if (char.IsControl(c))
                toml.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}");
            else
                toml.Append(c);
        }

        return toml.Append('"').ToString();
    }

    private static string Json(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static void WriteArray(Utf8JsonWriter json, string name, string[] texts)
    {
        json.WriteStartArray(name);
        foreach (string text in texts)
            json.WriteStringValue(text);
        json.WriteEndArray();
    }
}
