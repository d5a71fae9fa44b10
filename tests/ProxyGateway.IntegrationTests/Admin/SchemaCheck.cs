using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>
/// Whether JSON is what a schema of an OpenAPI 3.1 document says, as far as those of the operators' endpoints go. A keyword that it does not
/// know is an error, and so is a member that the schema does not name: the description should have it.
/// </summary>
internal static class SchemaCheck
{
    private static readonly string[] Known =
    [
        "$ref", "type", "enum", "pattern", "format", "minLength", "maxLength", "minimum", "maximum", "items", "properties", "required",
        "additionalProperties", "uniqueItems", "minItems", "maxItems", "description", "default",
    ];

    public static IReadOnlyList<string> Errors(JsonElement document, JsonElement schema, JsonElement value) => [.. Check(document, schema, value, "$")];

    private static IEnumerable<string> Check(JsonElement document, JsonElement schema, JsonElement value, string at)
    {
        foreach (JsonProperty keyword in schema.EnumerateObject().Where(k => !Known.Contains(k.Name)))
            yield return $"{at}: the schema has {keyword.Name}, which is not checked";
        if (schema.TryGetProperty("$ref", out JsonElement reference))
            schema = reference.GetString()!.Split('/')[1..].Aggregate(document, (element, name) => element.GetProperty(name));

        if (schema.TryGetProperty("type", out JsonElement type) && !Types(type).Contains(TypeOf(value)))
            yield return $"{at}: is {TypeOf(value)}, not {type}";
        if (schema.TryGetProperty("enum", out JsonElement allowed) && !allowed.EnumerateArray().Any(a => JsonElement.DeepEquals(a, value)))
            yield return $"{at}: {value} is none of {allowed}";
        IEnumerable<string> within = value.ValueKind switch
        {
            JsonValueKind.String => CheckText(schema, value.GetString()!, at),
            JsonValueKind.Number => CheckNumber(schema, value.GetDecimal(), at),
            JsonValueKind.Array => CheckItems(document, schema, value, at),
            JsonValueKind.Object => CheckMembers(document, schema, value, at),
            _ => [],
        };
        foreach (string error in within)
            yield return error;
    }

    private static IEnumerable<string> CheckText(JsonElement schema, string text, string at)
    {
        if (schema.TryGetProperty("pattern", out JsonElement pattern) && !Regex.IsMatch(text, pattern.GetString()!, RegexOptions.None, TimeSpan.FromSeconds(1)))
            yield return $"{at}: {text} does not match {pattern}";
        if (schema.TryGetProperty("format", out JsonElement format)
            && (format.GetString() != "date-time" || !text.EndsWith('Z') || !DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, out _)))
        {
            yield return $"{at}: {text} is no {format} in UTC";
        }

        if ((schema.TryGetProperty("minLength", out JsonElement min) && text.Length < min.GetInt32())
            || (schema.TryGetProperty("maxLength", out JsonElement max) && text.Length > max.GetInt32()))
        {
            yield return $"{at}: is {text.Length} long";
        }
    }

    private static IEnumerable<string> CheckNumber(JsonElement schema, decimal number, string at)
    {
        if ((schema.TryGetProperty("minimum", out JsonElement min) && number < min.GetDecimal())
            || (schema.TryGetProperty("maximum", out JsonElement max) && number > max.GetDecimal()))
        {
            yield return $"{at}: {number} is out of bounds";
        }
    }

    private static IEnumerable<string> CheckItems(JsonElement document, JsonElement schema, JsonElement array, string at) =>
        schema.TryGetProperty("items", out JsonElement items)
            ? array.EnumerateArray().SelectMany((item, i) => Check(document, items, item, $"{at}[{i}]"))
            : [$"{at}: the schema does not say what is in it"];

    private static IEnumerable<string> CheckMembers(JsonElement document, JsonElement schema, JsonElement value, string at)
    {
        if (schema.TryGetProperty("required", out JsonElement required))
        {
            foreach (JsonElement missing in required.EnumerateArray().Where(r => !value.TryGetProperty(r.GetString()!, out _)))
                yield return $"{at}: has no {missing}";
        }

        foreach (JsonProperty member in value.EnumerateObject())
        {
            bool isDescribed = schema.TryGetProperty("properties", out JsonElement properties) && properties.TryGetProperty(member.Name, out JsonElement of)
                ? (of.ValueKind == JsonValueKind.Object)
                : schema.TryGetProperty("additionalProperties", out of) && of.ValueKind == JsonValueKind.Object;
            if (!isDescribed)
            {
                yield return $"{at}: the schema has no {member.Name}";
                continue;
            }

            foreach (string error in Check(document, of, member.Value, $"{at}.{member.Name}"))
                yield return error;
        }
    }

    private static string[] Types(JsonElement type) =>
        type.ValueKind == JsonValueKind.Array ? [.. type.EnumerateArray().Select(t => t.GetString()!)] : [type.GetString()!];

    private static string TypeOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.True or JsonValueKind.False => "boolean",
        JsonValueKind.Number => value.TryGetInt64(out _) ? "integer" : "number",
        JsonValueKind kind => kind.ToString().ToLowerInvariant(),
    };
}
