using System.Text.Json;
using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Tests.Shared;

/// <summary>Writes documents as a later version may: with members that this version does not know, and with a greater format.</summary>
internal static class NewerGateway
{
    private const string Member = "later";

    /// <summary>The record with an unknown member in each of its objects.</summary>
    public static DeviceRecord Extend(DeviceRecord record)
    {
        JsonNode document = JsonNode.Parse(DeviceDocument.Serialize(record))!;
        foreach (JsonObject stored in Objects(document).Select(o => o.Object))
            stored[Member] = new JsonObject { ["a"] = new JsonArray(1, "two", null) };
        return DeviceDocument.Deserialize(JsonSerializer.SerializeToUtf8Bytes(document), record.Id, record.Version);
    }

    /// <summary>The record of a document that has this format.</summary>
    public static DeviceRecord InFormat(this DeviceRecord record, int format) => record with
    {
        Unknown = new Dictionary<string, JsonElement>(record.Unknown ?? []) { ["format"] = JsonSerializer.SerializeToElement(format) },
    };

    /// <summary>The objects of the document that have the unknown member.</summary>
    public static string[] Extended(DeviceRecord record) =>
        [.. Objects(JsonNode.Parse(DeviceDocument.Serialize(record))!).Where(o => o.Object.ContainsKey(Member)).Select(o => o.Name)];

    /// <summary>The objects that had the unknown member before, are still there, and have it no longer.</summary>
    public static string[] Lost(DeviceRecord before, DeviceRecord after) =>
    [
        .. Objects(JsonNode.Parse(DeviceDocument.Serialize(after))!).Where(o => !o.Object.ContainsKey(Member)).Select(o => o.Name).Intersect(Extended(before)),
    ];

    // Each object whose members have names of ours, and not names of roles or rules.
    private static IEnumerable<(string Name, JsonObject Object)> Objects(JsonNode document)
    {
        var root = (JsonObject)document;
        yield return ("record", root);
        foreach (string name in new[] { "client", "block", "refusals" })
        {
            if (root[name] is JsonObject part)
                yield return (name, part);
        }

        foreach ((string role, JsonNode? grant) in (JsonObject)root["grants"]!)
        {
            yield return ($"grant {role}", (JsonObject)grant!);
            if (grant!["parts"] is JsonObject parts)
                yield return ($"parts of {role}", parts);
        }

        foreach (JsonNode? request in (JsonArray)root["requests"]!)
        {
            yield return ($"request {request!["id"]}", (JsonObject)request);
            yield return ($"client of request {request["id"]}", (JsonObject)request["client"]!);
        }
    }
}
