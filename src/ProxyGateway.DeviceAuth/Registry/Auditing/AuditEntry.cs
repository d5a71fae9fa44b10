using System.Text.Json.Serialization;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>
/// One thing that happened: who, what, when, from where, by which rule. Immutable, without secrets, and safe to show: whatever a device
/// says of itself was sanitised, and what it could not prove is left out.
/// </summary>
public sealed record AuditEntry : StoredObject
{
    /// <summary>Given by the store, later entries a greater one, whichever gateway made them. 0 until then.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)] // more than a JavaScript number holds
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long Id { get; init; }

    /// <summary>When it was entered, by the gateway's clock.</summary>
    public DateTimeOffset Time { get; init; }

    /// <summary>The gateway that entered it: the name of its machine.</summary>
    public string Gateway { get; init; } = "";

    /// <summary>What happened: one of <see cref="AuditKinds"/>, or a kind that only a newer gateway knows.</summary>
    public required string Kind { get; init; }

    /// <summary>The device, if it has proved to be it or an operator named it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DeviceId? DeviceId { get; init; }

    /// <summary>The pairing request.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public RequestId? RequestId { get; init; }

    /// <summary>The role that was asked for, or decided about.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Role { get; init; }

    /// <summary>The scopes: asked for, or, where somebody decided, granted.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ScopeSet? Scopes { get; init; }

    /// <summary>How many more scopes there were, which are left out here: of what strangers ask for the first eight are kept, or what fits into 1 KiB.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int MoreScopes { get; init; }

    /// <summary>From when on what was granted covers nothing any more.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? Until { get; init; }

    /// <summary>Why, in words of ours.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }

    /// <summary>The close code that the gate sent (RFC 6455 §7.4); absent where it sent none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? CloseCode { get; init; }

    /// <summary>The rule that approved.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Rule { get; init; }

    /// <summary>The operator who decided.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Operator { get; init; }

    /// <summary>What the operator wrote: a label, or why a device is blocked.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Note { get; init; }

    /// <summary>The address of whoever caused it: the device's client, or the operator's.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Address { get; init; }

    /// <summary>Where the device's client is.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public LocalityKind? Locality { get; init; }

    /// <summary>What the device says of itself.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ClientDescription? Client { get; init; }

    /// <summary>How many refusals were left out; of <see cref="AuditKinds.RefusalsLeftOut"/> alone.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Count { get; init; }

    /// <summary>The registry gave no answer, so that this may or may not have been written.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Uncertain { get; init; }
}
