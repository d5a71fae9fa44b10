using System.Text.Json.Serialization;

namespace ProxyGateway.Forwarding;

/// <summary>The body of a forwarder's own answer.</summary>
internal sealed record ForwardProblem(string Type, string Title, int Status, string Detail, string Code, string? RequestId, bool Retryable);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ForwardProblem))]
internal sealed partial class ForwardJsonContext : JsonSerializerContext;
