using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>A pairing request, as operators see it.</summary>
internal sealed record RequestView(
    RequestId Id,
    DeviceId DeviceId,
    string Role,
    ScopeSet Scopes,
    PairingReason Reason,
    ScopeSet? GrantedScopes,
    ClientDescription Client,
    string? Address,
    LocalityKind Locality,
    PairingRequestStatus Status,
    string? ResolvedBy,
    DateTimeOffset? ResolvedAt,
    DateTimeOffset CreatedAt,
    DateTimeOffset ExpiresAt)
{
    public static RequestView Of(PairingRequest request) => new(
        request.Id,
        request.DeviceId,
        request.Role,
        request.Scopes,
        request.Reason,
        request.GrantedScopes,
        request.Client,
        request.Address,
        request.Locality,
        request.Status,
        request.ResolvedBy,
        request.ResolvedAt,
        request.CreatedAt,
        request.ExpiresAt);
}

/// <summary>A device, as operators see it: without its marks and requests.</summary>
internal sealed record DeviceView(
    DeviceId Id,
    string PublicKey,
    ClientDescription Client,
    ImmutableSortedDictionary<string, Grant> Grants,
    DateTimeOffset CreatedAt,
    DateTimeOffset? LastSeenAt,
    string Version)
{
    public static DeviceView Of(DeviceRecord record) => new(
        record.Id, record.PublicKey, record.Client, record.Grants, record.CreatedAt, record.LastSeenAt, record.Version);
}

/// <summary>A part of a list.</summary>
/// <param name="Items">The items.</param>
/// <param name="Next">The cursor of the next page; null, and there all the same, on the last.</param>
internal sealed record PageView<T>(
    IReadOnlyList<T> Items,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Next);

/// <summary>What an approval may say.</summary>
internal sealed record ApprovalBody
{
    /// <summary>The scopes to grant; absent: all that are asked for. Not null, which could be meant either way.</summary>
    [DisallowNull]
    public ScopeSet? Scopes { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    Converters = [typeof(UtcTimeConverter)])]
[JsonSerializable(typeof(AdminProblem))]
[JsonSerializable(typeof(MeView))]
[JsonSerializable(typeof(RequestView))]
[JsonSerializable(typeof(DeviceView))]
[JsonSerializable(typeof(PageView<RequestView>))]
[JsonSerializable(typeof(PageView<DeviceView>))]
[JsonSerializable(typeof(PageView<AuditEntry>))]
internal sealed partial class AdminJsonContext : JsonSerializerContext;

/// <summary>For what operators send: nothing unknown, nothing twice, nothing of another type.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ApprovalBody))]
internal sealed partial class AdminInputContext : JsonSerializerContext;

/// <summary>Times as RFC 3339 in UTC, with <c>Z</c>.</summary>
internal sealed class UtcTimeConverter : JsonConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDateTimeOffset();

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) => writer.WriteStringValue(value.UtcDateTime);
}
