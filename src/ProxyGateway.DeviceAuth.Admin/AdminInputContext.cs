using System.Text.Json;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Reads operators' input strictly: no unknown member, no duplicate, no other type.</summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Strict,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ApprovalBody))]
[JsonSerializable(typeof(GrantBody))]
[JsonSerializable(typeof(LabelBody))]
[JsonSerializable(typeof(BlockBody))]
[JsonSerializable(typeof(ProofBody))]
[JsonSerializable(typeof(ImportBody))]
[JsonSerializable(typeof(RemoveByRuleBody))]
[JsonSerializable(typeof(InvitationBody))]
internal sealed partial class AdminInputContext : JsonSerializerContext;
