using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Overview;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(StoredOverview))]
internal sealed partial class OverviewJsonContext : JsonSerializerContext;
