using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The known members of stored documents; <see cref="StoredJson"/> keeps the others.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true, GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(DeviceRecord))]
[JsonSerializable(typeof(ImmutableSortedDictionary<GrantKey, Grant>))]
[JsonSerializable(typeof(AuditEntry))]
[JsonSerializable(typeof(StoredNonceKeys))]
[JsonSerializable(typeof(Invitation))]
[JsonSerializable(typeof(Dictionary<string, JsonElement>))]
internal sealed partial class RegistryJsonContext : JsonSerializerContext;
