using System.Text.Json.Serialization;

namespace ProxyGateway.Serving;

/// <summary>The body of the answer to a request that has no place on its connection, RFC 9457.</summary>
internal sealed record ConnectionProblem(string Type, string Title, int Status, string Detail);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ConnectionProblem))]
internal sealed partial class ConnectionJsonContext : JsonSerializerContext;
