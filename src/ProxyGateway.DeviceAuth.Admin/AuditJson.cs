using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Audit entries for operators, with members that only a newer gateway, which wrote them, knows.</summary>
public static class AuditJson
{
    private static readonly JsonSerializerOptions Options = new(AdminJsonContext.Default.Options)
    {
        TypeInfoResolver = AdminJsonContext.Default.WithAddedModifier(StoredObject.KeepUnknown),
    };

    /// <summary>Reads and writes an entry.</summary>
    public static JsonTypeInfo<AuditEntry> Entry { get; } = (JsonTypeInfo<AuditEntry>)Options.GetTypeInfo(typeof(AuditEntry));

    internal static JsonTypeInfo<PageView<AuditEntry>> Page { get; } = (JsonTypeInfo<PageView<AuditEntry>>)Options.GetTypeInfo(typeof(PageView<AuditEntry>));

    /// <summary>The entry in a gateway's answer. If only a newer gateway knows all of it, it is read in part.</summary>
    /// <exception cref="RegistryUnavailableException">It is no entry.</exception>
    public static AuditEntry Read(JsonElement entry)
    {
        bool hasId = entry.ValueKind == JsonValueKind.Object && entry.TryGetProperty("id", out JsonElement id) && id.ValueKind == JsonValueKind.String;
        return AuditDocument.Deserialize(
            JsonSerializer.SerializeToUtf8Bytes(entry, AdminJsonContext.Default.JsonElement),
            hasId && long.TryParse(entry.GetProperty("id").GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0);
    }
}
