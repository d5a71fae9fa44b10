using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>The body of an answer to a refused request, RFC 9457.</summary>
internal sealed record Problem(string Type, string Title, int Status, string Detail);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Problem))]
internal sealed partial class ProblemJsonContext : JsonSerializerContext;
