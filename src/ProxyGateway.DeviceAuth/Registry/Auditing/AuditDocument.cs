using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>The stored form of an entry, its id apart: one JSON document.</summary>
public static class AuditDocument
{
    /// <summary>The document of the entry, UTF-8.</summary>
    public static byte[] Serialize(AuditEntry entry) => JsonSerializer.SerializeToUtf8Bytes(entry, StoredJson.AuditEntry);

    /// <summary>
    /// The entry in a document. Members that this version does not know are kept. Of an entry with a value that this version cannot read, as a newer
    /// gateway may write it, what the audit is filtered by is read, and the rest is kept as it is: one such entry must not hide all others.
    /// </summary>
    /// <exception cref="RegistryUnavailableException">The document is damaged.</exception>
    public static AuditEntry Deserialize(ReadOnlySpan<byte> document, long id)
    {
        try
        {
            AuditEntry? entry = JsonSerializer.Deserialize(document, StoredJson.AuditEntry);
            return entry is null ? throw new JsonException("null") : entry with { Id = id };
        }
        catch (JsonException e)
        {
            return ReadInPart(document, id) ?? throw new RegistryUnavailableException("An audit entry is damaged.", e);
        }
    }

    private static AuditEntry? ReadInPart(ReadOnlySpan<byte> document, long id)
    {
        try
        {
            if (JsonSerializer.Deserialize(document, RegistryJsonContext.Default.DictionaryStringJsonElement) is not { } members
                || Text("kind") is not { } kind)
                return null;
            var entry = new AuditEntry { Id = id, Kind = kind, Gateway = Text("gateway") ?? "", Operator = Text("operator") };
            if (members.GetValueOrDefault("time") is { ValueKind: JsonValueKind.String } at && at.TryGetDateTimeOffset(out DateTimeOffset time))
                entry = entry with { Time = time };
            if (DeviceId.TryParse(Text("deviceId"), out DeviceId device))
                entry = entry with { DeviceId = device };
            members.Remove("id");
            members.Remove("time");
            foreach (string read in (string[])["kind", "gateway", "operator", "deviceId"])
            {
                if (Text(read) is not null)
                    members.Remove(read);
            }

            return entry with { Unknown = members };

            string? Text(string name) =>
                members.TryGetValue(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // of text that is no Unicode
        {
            return null;
        }
    }
}
