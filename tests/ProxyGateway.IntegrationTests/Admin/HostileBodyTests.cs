using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>
/// Every body that the description has, with each of its members left out, null and of another type: whatever an operator's script sends is
/// answered, and never by a failure of the gateway.
/// </summary>
public sealed class HostileBodyTests : IAsyncLifetime
{
    private static readonly string[] Others =
    [
        "null", "true", "7", "-1", "1.5", "1e400", "99999999999999999999", "\"\"", "\"x\"", "\"\\ud800\"", "\"\\u0000\"", "\"9999-12-31T23:59:59-14:00\"",
        "[]", "{}", "[null]", "[[null]]", "[{}]", "[7]", "[\"\\ud800\"]", "{\"\":null}", "{\"x\":null}", "{\"x\":7}", "{\"x\":[null]}", "{\"x\":{\"scopes\":[null]}}", "{\"\\ud800\":{}}",
    ];

    private readonly DeviceClaim _device = Some.Claim();
    private TestAdmin _admin = null!;
    private JsonObject _document = null!;

    public async Task InitializeAsync()
    {
        _admin = await TestAdmin.StartAsync(configure: services =>
            services.AddSingleton(new AdminRateLimit(Burst: int.MaxValue, Refill: 1, TimeSpan.FromSeconds(1))));
        _document = JsonNode.Parse((await _admin.GetAsync("/openapi/v1.json", key: null)).Text)!.AsObject();
    }

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    [Fact]
    public async Task No_body_makes_the_gateway_fail()
    {
        (string Method, string Path, JsonNode Body)[] operations = [.. Bodies()];
        operations.Length.ShouldBeGreaterThanOrEqualTo(6, "approve, grant, label, block, import, remove by rule");
        foreach ((string method, string template, JsonNode body) in operations)
        {
            string path = await PathAsync(template);
            foreach (string sent in Others.Concat(["", "{", "\u0000", "[[[[", new string('[', 1000)]).Concat(Mutations(body)).Distinct())
            {
                Answer answer = await _admin.SendAsync(new HttpMethod(method), path, json: sent);

                answer.Status.ShouldBeLessThan(500, $"{method} {path} {sent}: {answer.Text}");
                if (answer.Status >= 400)
                    answer.MediaType.ShouldBe("application/problem+json", $"{method} {path} {sent}");
            }
        }
    }

    [Fact]
    public async Task A_refusal_names_the_missing_member()
    {
        int required = 0;
        foreach ((string method, string template, JsonNode body) in Bodies())
        {
            string path = await PathAsync(template);
            foreach ((string[] owner, string member) in RequiredMembers(body, Schema(template, method), []))
            {
                JsonNode without = body.DeepClone();
                Find(without, owner).AsObject().Remove(member);

                Answer answer = await _admin.SendAsync(new HttpMethod(method), path, json: without.ToJsonString());

                answer.ShouldBeProblem(400, "invalid-request");
                answer.Json.GetProperty("detail").GetString()!.ShouldContain($"'{member}' is missing", customMessage: template);
                required++;
            }
        }

        required.ShouldBeGreaterThanOrEqualTo(6, "scopes; label; devices, publicKey, grants; rule");
    }

    /// <summary>Each operation that takes a body, with one that has every member.</summary>
    private IEnumerable<(string Method, string Path, JsonNode Body)> Bodies() =>
        from path in _document["paths"]!.AsObject()
        from operation in path.Value!.AsObject()
        where operation.Value!["requestBody"] is not null
        select (operation.Key.ToUpperInvariant(), path.Key, Example(Schema(path.Key, operation.Key)));

    private JsonNode Schema(string path, string method) => Resolve(
        _document["paths"]![path]![method.ToLowerInvariant()]!["requestBody"]!["content"]!["application/json"]!["schema"]!);

    private JsonNode Resolve(JsonNode schema)
    {
        if (schema["$ref"] is { } reference)
            return Resolve(_document["components"]!["schemas"]![reference.GetValue<string>().Split('/')[^1]]!);
        return schema["oneOf"] is JsonArray choices ? Resolve(choices.First(c => c!["type"]?.GetValue<string>() != "null")!) : schema;
    }

    private JsonNode Example(JsonNode schema)
    {
        schema = Resolve(schema);
        string[] types = schema["type"] is JsonArray several ? [.. several.Select(t => t!.GetValue<string>())] : [schema["type"]!.GetValue<string>()];
        switch (types.First(t => t != "null"))
        {
            case "object" when schema["properties"] is JsonObject properties:
                return new JsonObject(properties.Select(p => KeyValuePair.Create(p.Key, (JsonNode?)(Known(p.Key) ?? Example(p.Value!)))));
            case "object":
                return new JsonObject { ["operator"] = Example(schema["additionalProperties"]!) };
            case "array":
                return new JsonArray(Example(schema["items"]!));
            case "boolean":
                return false;
            case "integer":
                return 1;
            default:
                return schema["format"]?.GetValue<string>() == "date-time" ? "2999-01-01T00:00:00Z" : "text";
        }
    }

    // What has to be right for the rest to be looked at.
    private JsonNode? Known(string member) => member switch
    {
        "id" => _device.Device.ToString(),
        "publicKey" => _device.PublicKey,
        _ => null,
    };

    private IEnumerable<(string[] Owner, string Member)> RequiredMembers(JsonNode body, JsonNode schema, string[] path)
    {
        schema = Resolve(schema);
        if (body is JsonArray { Count: > 0 } list)
            return RequiredMembers(list[0]!, schema["items"]!, [.. path, "0"]);
        if (body is not JsonObject members)
            return [];
        IEnumerable<(string[], string)> own = schema["required"] is JsonArray required ? required.Select(r => (path, r!.GetValue<string>())) : [];
        return own.Concat(members.SelectMany(m => RequiredMembers(
            m.Value!, schema["properties"]?[m.Key] ?? schema["additionalProperties"]!, [.. path, m.Key])));
    }

    private static IEnumerable<string> Mutations(JsonNode body)
    {
        foreach (string[] path in Paths(body, []).Where(p => p.Length > 0))
        {
            string[] owner = path[..^1];
            JsonNode changed = body.DeepClone();
            if (Find(changed, owner) is JsonObject members)
                members.Remove(path[^1]);
            else
                Find(changed, owner).AsArray().Clear();
            yield return changed.ToJsonString();
            foreach (string other in Others)
            {
                const string place = "here goes the other value";
                JsonNode marked = body.DeepClone();
                if (Find(marked, owner) is JsonObject into)
                    into[path[^1]] = place;
                else
                    Find(marked, owner).AsArray()[0] = place;
                yield return marked.ToJsonString().Replace($"\"{place}\"", other, StringComparison.Ordinal);
            }
        }
    }

    private static IEnumerable<string[]> Paths(JsonNode? node, string[] path) => (node switch
    {
        JsonObject members => members.SelectMany(m => Paths(m.Value, [.. path, m.Key])),
        JsonArray items => items.SelectMany((item, i) => Paths(item, [.. path, $"{i}"])),
        _ => [],
    }).Prepend(path);

    private static JsonNode Find(JsonNode node, string[] path) =>
        path.Aggregate(node, (at, step) => at is JsonArray items ? items[int.Parse(step, System.Globalization.CultureInfo.InvariantCulture)]! : at[step]!);

    private async Task<string> PathAsync(string template)
    {
        PairingRequest request = await _admin.AskAsync(Some.Claim("operator", "operator.read"));
        DeviceId device = await _admin.PairAsync(Some.Claim("operator", "operator.read"));
        string id = template.Contains("/requests/", StringComparison.Ordinal) ? request.Id.ToString() : device.ToString();
        return template.Replace("{id}", id, StringComparison.Ordinal).Replace("{role}", "operator", StringComparison.Ordinal);
    }
}
