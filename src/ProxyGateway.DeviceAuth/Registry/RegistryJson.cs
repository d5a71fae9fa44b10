using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The stored form of a device record: one JSON document.</summary>
public static class DeviceDocument
{
    /// <summary>The document of the record, UTF-8.</summary>
    public static byte[] Serialize(DeviceRecord record) => JsonSerializer.SerializeToUtf8Bytes(record, RegistryJsonContext.Default.DeviceRecord);

    /// <summary>The record in the document of this device.</summary>
    /// <exception cref="RegistryUnavailableException">The document is damaged, or another device's; nothing may be concluded from it.</exception>
    public static DeviceRecord Deserialize(ReadOnlySpan<byte> document, DeviceId id)
    {
        try
        {
            DeviceRecord record = JsonSerializer.Deserialize(document, RegistryJsonContext.Default.DeviceRecord)
                ?? throw new RegistryUnavailableException("A device's document is the JSON value null.");
            return record.Id == id ? record : throw new RegistryUnavailableException("A device's document is under another device's id.");
        }
        catch (JsonException e)
        {
            throw new RegistryUnavailableException("A device's document is damaged.", e);
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(DeviceRecord))]
[JsonSerializable(typeof(ImmutableSortedDictionary<string, Grant>))]
internal sealed partial class RegistryJsonContext : JsonSerializerContext;
