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

    /// <summary>The record of a document.</summary>
    /// <exception cref="RegistryUnavailableException">The document is damaged; nothing may be concluded from it.</exception>
    public static DeviceRecord Deserialize(ReadOnlySpan<byte> document)
    {
        try
        {
            return JsonSerializer.Deserialize(document, RegistryJsonContext.Default.DeviceRecord)
                ?? throw new RegistryUnavailableException("A device's document is the JSON value null.");
        }
        catch (JsonException e)
        {
            throw new RegistryUnavailableException("A device's document is damaged.", e);
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(DeviceRecord))]
[JsonSerializable(typeof(ImmutableSortedDictionary<string, Grant>))]
internal sealed partial class RegistryJsonContext : JsonSerializerContext;
