using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
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
    /// <summary>While it is open: the roles that the device holds; absent if it holds none.</summary>
    public IReadOnlyList<string>? HeldRoles { get; init; }

    /// <summary>While it is open: the scopes that the device holds in the role it asks for; absent if it does not hold the role.</summary>
    public ScopeSet? HeldScopes { get; init; }

    /// <summary>While it is open: the scopes that the device would get beyond what it holds.</summary>
    public ScopeSet? NewScopes { get; init; }

    /// <summary>The request, and what it comes to beside what the device holds.</summary>
    public static RequestView Of(PairingRequest request, DeviceRecord? device, ScopeImplications implications)
    {
        if (request.Status != PairingRequestStatus.Open)
            return Of(request);
        ScopeSet held = device?.ScopesOf(request.Role) ?? ScopeSet.Empty;
        return Of(request) with
        {
            HeldRoles = device is { Grants.IsEmpty: false } ? [.. device.Grants.Keys] : null,
            HeldScopes = device?.Grants.ContainsKey(request.Role) == true ? held : null,
            NewScopes = ScopeSet.Of(request.Scopes.Where(scope => !implications.Covers(request.Role, held, ScopeSet.Of(scope)))),
        };
    }

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
    string? PublicKey,
    ClientDescription Client,
    string? Label,
    bool? Legacy,
    Block? Block,
    ImmutableSortedDictionary<string, Grant> Grants,
    DateTimeOffset? CreatedAt,
    DateTimeOffset? LastSeenAt,
    string Version)
{
    /// <summary>The format of a document that this gateway does not know; then nothing else is known here of the device. Absent otherwise.</summary>
    public int? NewerFormat { get; init; }

    public static DeviceView Of(NewerDocument document) => new(
        document.Device,
        PublicKey: null,
        new ClientDescription(),
        Label: null,
        Legacy: null,
        Block: null,
        ImmutableSortedDictionary<string, Grant>.Empty,
        CreatedAt: null,
        LastSeenAt: null,
        document.Version)
    {
        NewerFormat = document.Format,
    };

    public static DeviceView Of(DeviceRecord record) => new(
        record.Id,
        record.PublicKey.Length == 0 ? null : record.PublicKey, // nothing is known of who was blocked unseen
        record.Client,
        record.Label,
        record.Legacy ? true : null,
        record.Block,
        record.Grants,
        record.CreatedAt,
        record.LastSeenAt,
        record.Version);
}

/// <summary>A live session of this gateway.</summary>
internal sealed record SessionView(
    string Id,
    DeviceId DeviceId,
    string Role,
    ScopeSet Scopes,
    ClientDescription Client,
    string? Address,
    LocalityKind Locality,
    DateTimeOffset StartedAt,
    DateTimeOffset? EndsAt);

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

    /// <summary>From when on the grant covers nothing any more; absent: no end is set.</summary>
    [DisallowNull]
    public DateTimeOffset? Until { get; init; }
}

/// <summary>What a device may do in a role from now on.</summary>
internal sealed record GrantBody
{
    /// <summary>The scopes.</summary>
    public required ScopeSet Scopes { get; init; }

    /// <summary>From when on the grant covers nothing any more; absent: it has no end.</summary>
    [DisallowNull]
    public DateTimeOffset? Until { get; init; }
}

/// <summary>What operators call a device.</summary>
internal sealed record LabelBody
{
    /// <summary>The name.</summary>
    public required string Label { get; init; }
}

/// <summary>What a block may say.</summary>
internal sealed record BlockBody
{
    /// <summary>Why.</summary>
    [DisallowNull]
    public string? Reason { get; init; }
}

/// <summary>Devices of another gateway.</summary>
internal sealed record ImportBody
{
    /// <summary>Whether to tell only what would become of them.</summary>
    public bool DryRun { get; init; }

    /// <summary>The devices.</summary>
    public required IReadOnlyList<ImportDeviceBody> Devices { get; init; }
}

/// <summary>A device of another gateway.</summary>
internal sealed record ImportDeviceBody
{
    /// <summary>The device's id; absent: the one that its key has.</summary>
    [DisallowNull]
    public string? Id { get; init; }

    /// <summary>The raw public key, 32 bytes, as base64url or in another form that devices send.</summary>
    public required string PublicKey { get; init; }

    /// <summary>Role -> what was approved there; empty for a device that was paired without any role on record.</summary>
    public required IReadOnlyDictionary<string, ImportGrantBody> Grants { get; init; }

    /// <summary>It was paired without any role on record.</summary>
    public bool Legacy { get; init; }

    /// <summary>What operators call it.</summary>
    [DisallowNull]
    public string? Label { get; init; }

    /// <summary>What it says about itself.</summary>
    [DisallowNull]
    public ClientDescription? Client { get; init; }
}

/// <summary>A grant of another gateway.</summary>
internal sealed record ImportGrantBody
{
    /// <summary>The scopes; absent if none are on record, which is not the same as an approval of no scopes.</summary>
    [DisallowNull]
    public ScopeSet? Scopes { get; init; }

    /// <summary>From when on it covers nothing any more; absent: it has no end.</summary>
    [DisallowNull]
    public DateTimeOffset? Until { get; init; }

    /// <summary>What of it a rule approved there; absent: nothing, and all of it is the operator's who imports it.</summary>
    [DisallowNull]
    public ImportPartsBody? Parts { get; init; }
}

/// <summary>What of a grant of another gateway is a rule's.</summary>
internal sealed record ImportPartsBody
{
    /// <summary>Rule -> the scopes that it alone approved.</summary>
    public required IReadOnlyDictionary<string, ScopeSet> Rules { get; init; }

    /// <summary>The rule that let the device into the role; absent: an operator did.</summary>
    [DisallowNull]
    public string? Role { get; init; }
}

/// <summary>What became of an import.</summary>
internal sealed record ImportView(bool DryRun, IReadOnlyList<ImportItemView> Items);

/// <summary>What became of one device of an import.</summary>
/// <param name="Id">The device; absent if its key is none.</param>
/// <param name="Outcome">One of added, extended, unchanged, above-ceiling, refused-before, blocked, newer-format, invalid.</param>
/// <param name="Detail">What is wrong with it.</param>
internal sealed record ImportItemView(DeviceId? Id, string Outcome, string? Detail = null);

/// <summary>Which rule's approvals are taken back.</summary>
internal sealed record RemoveByRuleBody
{
    /// <summary>The rule's name.</summary>
    public required string Rule { get; init; }

    /// <summary>Whether to count only.</summary>
    public bool DryRun { get; init; }

    /// <summary>After how many devices to stop, and after five seconds in any case; absent: go on to the end.</summary>
    [DisallowNull]
    public int? Limit { get; init; }

    /// <summary>Where to begin: the next of the part before; absent: at the first device.</summary>
    [DisallowNull]
    public string? Cursor { get; init; }
}

/// <summary>What became of the devices that a rule had approved.</summary>
/// <param name="DryRun">Whether this is only what would become of them.</param>
/// <param name="Removed">Devices that held nothing else.</param>
/// <param name="Narrowed">Devices that hold something else.</param>
/// <param name="Next">The cursor of the next part; absent if this was the last.</param>
/// <param name="NewerFormat">Devices that were left as they are, as a newer gateway wrote their documents; absent if there were none.</param>
internal sealed record RemovedByRuleView(bool DryRun, int Removed, int Narrowed, string? Next = null, int? NewerFormat = null);

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
[JsonSerializable(typeof(Dictionary<string, JsonElement>))]
[JsonSerializable(typeof(PageView<JsonElement>))]
[JsonSerializable(typeof(PageView<SessionView>))]
[JsonSerializable(typeof(ImportView))]
[JsonSerializable(typeof(ProofView))]
[JsonSerializable(typeof(WebhookBody))]
[JsonSerializable(typeof(RemovedByRuleView))]
internal sealed partial class AdminJsonContext : JsonSerializerContext;

/// <summary>For what operators send: nothing unknown, nothing twice, nothing of another type.</summary>
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
internal sealed partial class AdminInputContext : JsonSerializerContext;

/// <summary>Times as RFC 3339 in UTC, with <c>Z</c>.</summary>
internal sealed class UtcTimeConverter : JsonConverter<DateTimeOffset>
{
    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => reader.GetDateTimeOffset();

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) => writer.WriteStringValue(value.UtcDateTime);
}
