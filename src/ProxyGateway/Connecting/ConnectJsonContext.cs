using System.Text.Json.Serialization;

namespace ProxyGateway.Connecting;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    GenerationMode = JsonSourceGenerationMode.Metadata,
    WriteIndented = true)]
[JsonSerializable(typeof(ConnectReport))]
internal sealed partial class ConnectJsonContext : JsonSerializerContext;
