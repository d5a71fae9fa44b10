using System.Text.Json;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Client;

/// <summary>What a gateway answers to who asks for a session token. When it ends, the gateway says by its own clock, so nothing here goes by that.</summary>
internal sealed record SessionAnswer(string? Token);

/// <summary>What a session token is to be for: one of the two.</summary>
internal sealed record SessionAsk(string? Route, string? Audience);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SessionAnswer))]
[JsonSerializable(typeof(SessionAsk))]
internal sealed partial class SessionJsonContext : JsonSerializerContext;
