using System.Text.Json.Serialization;

namespace ProxyGateway.Connecting.Mcp;

[JsonSerializable(typeof(string))]
internal sealed partial class McpJsonContext : JsonSerializerContext;
