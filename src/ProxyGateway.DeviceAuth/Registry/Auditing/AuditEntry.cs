using System.Text.Json.Serialization;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>
/// One event: who, what, when, from where, by which rule. Immutable, without secrets, and safe to show: a device's texts were sanitised,
/// and claims that it could not prove are left out.
/// </summary>
public sealed record AuditEntry : StoredObject
{
    /// <summary>Given by the store; greater for later entries, of every gateway. 0 until then.</summary>
    // exceeds the range of JavaScript numbers
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long Id { get; init; }

    /// <summary>When it was entered, by the gateway's clock.</summary>
    public DateTimeOffset Time { get; init; }

    /// <summary>The gateway that entered it: the name of its machine.</summary>
    public string Gateway { get; init; } = "";

    /// <summary>The event: one of <see cref="AuditKinds"/>, or a kind that only a newer gateway knows.</summary>
    public required string Kind { get; init; }

    /// <summary>The device, if it has proved its id or an operator named it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DeviceId? DeviceId { get; init; }

    /// <summary>The operating-system user (numeric id) at the other end of the socket; of clients without a device alone.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public uint? User { get; init; }

    /// <summary>The pairing request.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public RequestId? RequestId { get; init; }

    /// <summary>
    /// The audience that was requested or decided on; absent for <c>default</c>, and in entries about all audiences, such as the removal of a device.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public Audience Audience { get; init; }

    /// <summary>The role that was requested or decided on.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Role { get; init; }

    /// <summary>The scopes: the granted ones if there was a decision, else the requested ones.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ScopeSet? Scopes { get; init; }

    /// <summary>How many scopes were left out: of a stranger's scopes the first eight are kept, or those that fit into 1 KiB.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int MoreScopes { get; init; }

    /// <summary>The end of the grant.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public DateTimeOffset? Until { get; init; }

    /// <summary>The reason, in the gateway's words.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Reason { get; init; }

    /// <summary>The close code that the gate sent (RFC 6455 §7.4); absent if it sent none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? CloseCode { get; init; }

    /// <summary>The rule that approved.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Rule { get; init; }

    /// <summary>The operator who decided.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Operator { get; init; }

    /// <summary>The operator's text: a label, or the reason of a block. Of <see cref="AuditKinds.BackendRefused"/>: what the backend's owner can do.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Note { get; init; }

    /// <summary>The address of the device's client, or of the operator, who caused the event.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Address { get; init; }

    /// <summary>The locality of the device's client.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public LocalityKind? Locality { get; init; }

    /// <summary>The device's description of itself.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ClientDescription? Client { get; init; }

    /// <summary>How many were left out; only for <see cref="AuditKinds.RefusalsLeftOut"/> and <see cref="AuditKinds.AdmissionsLeftOut"/>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Count { get; init; }

    /// <summary>The registry gave no answer, so the change may or may not have been written.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Uncertain { get; init; }
}
