using System.Text.Json;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Operating.Importing;

/// <summary>A file with devices, of any supported format.</summary>
internal static class DeviceFile
{
    /// <summary>Reads the devices.</summary>
    /// <param name="text">The file.</param>
    /// <param name="now">The time.</param>
    /// <exception cref="InvalidDataException">It is no such file; the message quotes nothing of it.</exception>
    public static IReadOnlyList<ImportRow> Read(ReadOnlyMemory<byte> text, DateTimeOffset now)
    {
        using JsonDocument document = Parse(text);
        JsonElement root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
            throw new InvalidDataException("it holds no devices");
        foreach (string list in (ReadOnlySpan<string>)["devices", "items"])
        {
            if (root.Member(list) is { ValueKind: JsonValueKind.Array } exported)
                return Once([.. exported.EnumerateArray().Select((row, i) => ExportFile.Read(i + 1, row, now) with { Name = NameOf(row) })]);
        }

        if (root.Member("paired") is { ValueKind: JsonValueKind.Array } paired)
            return Once([.. paired.EnumerateArray().Select((row, i) => OpenClawState.Read(i + 1, key: null, row) with { Name = NameOf(row) })]);
        JsonProperty[] byId = [.. root.EnumerateObject()];
        if (byId.Length > 0 && !byId.Any(row => row.Value.ValueKind == JsonValueKind.Object && row.Value.TryGetProperty("publicKey", out _)))
            throw new InvalidDataException("it holds no devices");
        return Once([.. byId.Select((row, i) => OpenClawState.Read(i + 1, row.Name, row.Value) with { Name = NameOf(row.Value) })]);
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> text)
    {
        if (text.Span.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]))
            text = text[3..];
        try
        {
            return JsonDocument.Parse(text);
        }
        catch (JsonException e)
        {
            // The parser's message quotes the file.
            throw new InvalidDataException($"it is no JSON, at line {e.LineNumber + 1}", e);
        }
    }

    private static string? NameOf(JsonElement row)
    {
        if (row.ValueKind != JsonValueKind.Object)
            return null;
        string? byOperators = row.Words("label") ?? row.Words("operatorLabel");
        return byOperators ?? (row.Member("client") is { ValueKind: JsonValueKind.Object } client
            ? client.Words("displayName") ?? client.Words("id")
            : row.Words("displayName") ?? row.Words("clientId"));
    }

    // One reader would take the first, another the last.
    private static IReadOnlyList<ImportRow> Once(ImportRow[] rows)
    {
        var repeated = rows.Select(r => r.Id).OfType<DeviceId>().CountBy(id => id).Where(n => n.Value > 1).Select(n => (DeviceId?)n.Key).ToHashSet();
        return [.. rows.Select(r => repeated.Contains(r.Id) ? ImportRow.Skipped(r.Row, r.Id, "the file has it twice") with { Name = r.Name } : r)];
    }
}
