using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>Reads and writes stored documents; unknown members are kept.</summary>
internal static class StoredJson
{
    private static readonly JsonSerializerOptions Options = new(RegistryJsonContext.Default.Options)
    {
        TypeInfoResolver = RegistryJsonContext.Default.WithAddedModifier(StoredObject.KeepUnknown),
    };

    /// <summary>Of a device's document.</summary>
    public static JsonTypeInfo<DeviceRecord> DeviceRecord { get; } = Of<DeviceRecord>();

    /// <summary>Of a device's requests.</summary>
    public static JsonTypeInfo<ImmutableArray<PairingRequest>> Requests { get; } = Of<ImmutableArray<PairingRequest>>();

    /// <summary>Of an audit entry.</summary>
    public static JsonTypeInfo<AuditEntry> AuditEntry { get; } = Of<AuditEntry>();

    private static JsonTypeInfo<T> Of<T>() => (JsonTypeInfo<T>)Options.GetTypeInfo(typeof(T));
}
