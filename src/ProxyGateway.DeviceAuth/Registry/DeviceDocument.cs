using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The stored form of a device record: one JSON document.</summary>
public static class DeviceDocument
{
    /// <summary>
    /// The greatest format that this version reads. The member <c>format</c> of a document has its format; without it the format is 1. This version writes
    /// 2 in documents with another audience than <c>default</c>, which older gateways would take for grants and requests of the one that they know.
    /// </summary>
    public const int Format = 2;

    private const string FormatMember = "format";

    // A document always has other members.
    private static ReadOnlySpan<byte> FirstMember => "{\"format\":2,"u8;

    /// <summary>The document of the record, UTF-8, with members that were unknown when it was read.</summary>
    public static byte[] Serialize(DeviceRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (!record.NamesAudiences)
            return JsonSerializer.SerializeToUtf8Bytes(record, StoredJson.DeviceRecord);
        if (record.Unknown?.ContainsKey(FormatMember) == true)
            record = record with { Unknown = record.Unknown.Where(m => m.Key != FormatMember).ToDictionary() };
        return [.. FirstMember, .. JsonSerializer.SerializeToUtf8Bytes(record, StoredJson.DeviceRecord).AsSpan(1)];
    }

    /// <summary>The size of the requests in the document, in bytes.</summary>
    internal static int SizeOfRequests(DeviceRecord record) =>
        JsonSerializer.SerializeToUtf8Bytes(record.Requests, StoredJson.Requests).Length;

    /// <summary>The record in the document of this device.</summary>
    /// <param name="document">The document, UTF-8.</param>
    /// <param name="id">The device.</param>
    /// <param name="version">The version that the store keeps beside the document, to compare it when it swaps.</param>
    /// <exception cref="NewerDocumentException">The document's format is unknown here; nothing may be concluded from it, and it must not be
    /// replaced.</exception>
    /// <exception cref="DamagedDocumentException">The document cannot be read, or belongs to another device; nothing may be concluded from
    /// it.</exception>
    public static DeviceRecord Deserialize(ReadOnlySpan<byte> document, DeviceId id, string version)
    {
        DeviceRecord? record;
        try
        {
            record = JsonSerializer.Deserialize(document, StoredJson.DeviceRecord);
        }
        catch (JsonException e)
        {
            // A newer format may have a type or a name that this version cannot read.
            throw ReadFormat(document) is { } newer and > Format
                ? new NewerDocumentException(new NewerDocument(id, newer, version), e)
                : new DamagedDocumentException(id, "it is not the JSON of a record", e);
        }

        if (record is null)
            throw new DamagedDocumentException(id, "it is the JSON value null");
        int format = 1;
        if (record.Unknown?.TryGetValue(FormatMember, out JsonElement member) == true)
        {
            if (member.ValueKind != JsonValueKind.Number || !member.TryGetInt32(out format) || format < 1)
                throw new DamagedDocumentException(id, "its format is no positive number");
            if (format > Format)
                throw new NewerDocumentException(new NewerDocument(id, format, version));
            if (format == Format)
                record.Unknown.Remove(FormatMember); // it is written again where it is still needed
        }

        if (record.Id != id)
            throw new DamagedDocumentException(id, "it is another device's");
        if (record.Version != version)
            throw new DamagedDocumentException(id, "its version is not the one beside it"); // no swap could ever replace it
        if (record.Grants.Values.Any(g => g is null || g.Parts?.Rules.Values.Any(s => s is null) == true) || record.Requests.Any(r => r is null || r.DeviceId != id))
            // nullability annotations do not cover collection items in JSON
            throw new DamagedDocumentException(id, "a grant or a part of one is null, or a request null or another device's");
        if (format < Format && record.NamesAudiences)
            // A version that knows no formats has written it: it loses the audiences of requests, and what it takes for a role becomes a grant of an audience.
            throw new DamagedDocumentException(id, "it names an audience, which its format does not have");
        return record;
    }

    /// <summary>The format of a document that cannot be read whole; null if the readable part has none.</summary>
    private static int? ReadFormat(ReadOnlySpan<byte> document)
    {
        var reader = new Utf8JsonReader(document);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isFormat = reader.ValueTextEquals(FormatMember);
                reader.Read();
                if (isFormat)
                    return reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out int format) ? format : null;
                reader.Skip();
            }
        }
        catch (JsonException)
        {
            // From here on it is no JSON.
        }

        return null;
    }
}
