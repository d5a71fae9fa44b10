using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry.Auditing;

/// <summary>The stored form of an entry, without its id: one JSON document.</summary>
public static class AuditDocument
{
    /// <summary>The document of the entry, UTF-8.</summary>
    public static byte[] Serialize(AuditEntry entry) => JsonSerializer.SerializeToUtf8Bytes(entry, StoredJson.AuditEntry);

    /// <summary>
    /// The entry in a document. Unknown members are kept. If a newer gateway wrote a value that this version cannot read, the members that
    /// filters use are read, and the rest is kept unchanged: one such entry must not hide all others.
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
        catch (Exception e) when (e is JsonException or InvalidOperationException) // for text that is no valid Unicode
        {
            return null;
        }
    }
}
