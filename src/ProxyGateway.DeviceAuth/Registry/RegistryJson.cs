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

    /// <summary>How many bytes of the document are its requests.</summary>
    internal static int SizeOfRequests(DeviceRecord record) =>
        JsonSerializer.SerializeToUtf8Bytes(record.Requests, RegistryJsonContext.Default.ImmutableArrayPairingRequest).Length;

    /// <summary>The record in the document of this device.</summary>
    /// <param name="document">The document, UTF-8.</param>
    /// <param name="id">The device.</param>
    /// <param name="version">The version that the store keeps beside the document, to compare it when it swaps.</param>
    /// <exception cref="DamagedDocumentException">The document cannot be read, or is another's; nothing may be concluded from it.</exception>
    public static DeviceRecord Deserialize(ReadOnlySpan<byte> document, DeviceId id, string version)
    {
        DeviceRecord? record;
        try
        {
            record = JsonSerializer.Deserialize(document, RegistryJsonContext.Default.DeviceRecord);
        }
        catch (JsonException e)
        {
            throw new DamagedDocumentException(id, "it is not the JSON of a record", e);
        }

        if (record is null)
            throw new DamagedDocumentException(id, "it is the JSON value null");
        if (record.Id != id)
            throw new DamagedDocumentException(id, "it is another device's");
        if (record.Version != version)
            throw new DamagedDocumentException(id, "its version is not the one beside it"); // no swap could ever replace it
        if (record.Grants.Values.Any(g => g is null || g.Parts?.Rules.Values.Any(s => s is null) == true) || record.Requests.Any(r => r is null || r.DeviceId != id))
            throw new DamagedDocumentException(id, "a grant or a part of one is null, or a request null or another device's"); // JSON has no annotations inside collections
        return record;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(DeviceRecord))]
[JsonSerializable(typeof(ImmutableSortedDictionary<string, Grant>))]
internal sealed partial class RegistryJsonContext : JsonSerializerContext;
