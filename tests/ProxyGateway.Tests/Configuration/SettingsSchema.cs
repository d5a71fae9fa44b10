using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.Serving;

namespace ProxyGateway.Tests.Configuration;

/// <summary>
/// Makes <c>appsettings.schema.json</c>. Keys, types, ranges and defaults are what the readers of the configuration look for, descriptions are those of
/// <c>docs/configuration.md</c>. A file is one layer: what it lacks may be in another, so nothing is required.
/// </summary>
internal static partial class SettingsSchema
{
    private const string Named = "x"; // stands for the name of a rule, a key, a cluster, ...
    private const string Name = "^[A-Za-z0-9._:-]{1,128}$";
    private const string AudienceName = "^[a-z0-9][a-z0-9._-]{0,63}$";
    private const string Origin = @"^[A-Za-z][A-Za-z0-9+.-]*://[^/@\\?#*\s]+$";
    private const string TimeSpanText = @"^([0-9]+\.)?[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]{1,7})?)?$";

    // Each section whose keys have names of their own, and each that is read only if it is there.
    private const string Probe = """
        {
          "DeviceAuth": {
            "Backends": { "x": { "OpenClaw": {} } },
            "Limits": { "Connections": 1, "ConnectionsPerAddress": 1 },
            "ScopeImplications": { "x": { "x": [] } },
            "SharedToken": { "Sha256": "" },
            "Pairing": { "AutoApprove": { "x": { "Enabled": true } }, "Deviceless": { "Enabled": true } }
          },
          "Admin": { "Keys": { "x": { "Role": "viewer" } }, "Webhooks": { "x": { "Url": "" } } }
        }
        """;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>What a value must be besides what its reader's type says.</summary>
    private static readonly Dictionary<string, Action<JsonObject>> Further = new(StringComparer.Ordinal)
    {
        ["DeviceAuth:Handshake"] = OneOf(DeviceAuthDefaults.ConnectFrame, DeviceAuthDefaults.Proof),
        ["DeviceAuth:AllowedOrigins"] = Items(Pattern(Origin)),
        ["DeviceAuth:PublicOrigins"] = Items(Pattern(Origin)),
        ["DeviceAuth:Backends:x:OpenClaw:Token"] = Pattern("^[!-~]{1,4096}$"),
        ["DeviceAuth:Pairing:AutoApprove:x:Reasons"] = Items(OneOf([.. Enum.GetValues<PairingReason>().Select(r => r.ToWireName())]), fewest: 1),
        ["DeviceAuth:Pairing:AutoApprove:x:From"] = Items(Pattern("^(loopback|any|[0-9A-Fa-f.:]+/[0-9]{1,3})$"), fewest: 1),
        ["DeviceAuth:Pairing:AutoApprove:x:Users"] = Items(Pattern("."), fewest: 1),
        ["DeviceAuth:Pairing:Deviceless:Users"] = Items(Pattern("."), fewest: 1),
        ["Registry:Redis:KeyPrefix"] = Pattern("^[A-Za-z0-9._:/-]{1,64}$"),
        ["Admin:Url"] = Pattern("^https?://[^/]+/?$"),
        ["Admin:Socket"] = value => value["maxLength"] = 80,
        ["Admin:Keys:x:Role"] = OneOf("viewer", "approver"),
        ["Admin:Webhooks:x:Url"] = Pattern("^https?://[^#]+$"),
        ["Admin:Webhooks:x:Secret"] = Pattern("^whsec_"),
        ["Admin:Webhooks:x:Events"] = Items(OneOf([.. AuditKinds.All]), fewest: 1),
        ["Telemetry:Otlp:Endpoint"] = Pattern("^https?://[^@?#]+$"),
        ["Telemetry:Otlp:Protocol"] = OneOf("grpc", "http/protobuf"),
    };

    // Names that must not be numbers, as elements of lists have.
    private static readonly string[] ProperNames = ["DeviceAuth:Pairing:AutoApprove", "Admin:Keys", "Admin:Webhooks"];

    /// <summary>The schema, as the file has it.</summary>
    public static string Make()
    {
        IReadOnlyDictionary<string, string> descriptions = Descriptions();
        var root = new JsonObject
        {
            ["$schema"] = "http://json-schema.org/draft-07/schema#",
            ["title"] = "ProxyGateway",
            ["description"] = "The configuration of ProxyGateway: docs/configuration.md. Made from the readers of the configuration; CONTRIBUTING.md says how.",
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["$schema"] = new JsonObject { ["type"] = "string" },
                ["Urls"] = new JsonObject { ["type"] = "string", ["description"] = "Where devices are served, as in http://127.0.0.1:8080; several are separated by ;." },
                ["ReverseProxy"] = ReverseProxy(descriptions),
            },
        };
        foreach (Setting setting in Settings())
            Add(root, setting, descriptions);
        foreach (string path in ProperNames)
            Find(root, path)["propertyNames"] = new JsonObject { ["pattern"] = "^(?![0-9]+$)[A-Za-z0-9._:-]{1,128}$" };
        Find(root, "DeviceAuth:Pairing:AutoApprove:x")["minProperties"] = 1;
        return root.ToJsonString(Indented) + "\n";
    }

    /// <summary>Every key that the readers look for, once, in their order.</summary>
    public static IReadOnlyList<Setting> Settings()
    {
        var found = new List<Setting>();
        IConfigurationRoot configuration = Configurations.Json(Probe);
        var errors = new ConfigurationErrors { Settings = found };
        Configurations.Read(configuration, errors);
        RegistryOptionsReader.Read(configuration, errors);
        AdminOptionsReader.Read(configuration, errors);
        TelemetryOptionsReader.Read(configuration, errors);
        return [.. found.DistinctBy(s => s.Path)];
    }

    /// <summary>What <c>docs/configuration.md</c> says of each key.</summary>
    public static IReadOnlyDictionary<string, string> Descriptions()
    {
        var descriptions = new Dictionary<string, string>(StringComparer.Ordinal);
        string section = "";
        foreach (string line in File.ReadLines(Path.Combine(ShippedConfigurationTests.Root, "docs", "configuration.md")))
        {
            if (line.StartsWith('#'))
            {
                section = line.TrimStart('#').Trim();
                if (section == "DeviceAuth:Pairing:AutoApprove")
                    section += ":x";
            }
            else if (line.StartsWith("| `", StringComparison.Ordinal) && (section == "Routes" || section.Split(':')[0] is "DeviceAuth" or "Registry" or "Admin" or "Telemetry"))
            {
                string[] cells = line.Trim().Trim('|').Split(" | ");
                string key = Placeholder().Replace(cells[0].Trim().Trim('`'), Named);
                descriptions.TryAdd($"{section}:{key}", Link().Replace(cells[^1].Trim(), "${text}"));
            }
        }

        return descriptions;
    }

    private static void Add(JsonObject root, Setting setting, IReadOnlyDictionary<string, string> descriptions)
    {
        JsonObject value = Schema(setting);
        if (Further.TryGetValue(setting.Path, out Action<JsonObject>? more))
            more(value);
        string range = setting.Spans is { } spans ? $" ({spans})" : "";
        if (descriptions.TryGetValue(setting.Path, out string? description))
            value.Insert(0, "description", char.ToUpperInvariant(description[0]) + description[1..] + range);
        if (DefaultOf(setting) is { } fallback)
            value["default"] = fallback;
        string[] names = setting.Path.Split(':');
        JsonObject section = root;
        for (int i = 0; i < names.Length - 1; i++)
            section = Child(section, names[i], descriptions, string.Join(':', names[..(i + 1)]));
        if (names[^1] == Named)
            section["additionalProperties"] = value;
        else
            section["properties"]![names[^1]] = value;
    }

    private static JsonObject Child(JsonObject section, string name, IReadOnlyDictionary<string, string> descriptions, string path)
    {
        JsonNode? there = name == Named ? section["additionalProperties"] as JsonObject : section["properties"]![name];
        if (there is not null)
            return there.AsObject();
        var made = new JsonObject { ["type"] = "object", ["properties"] = new JsonObject(), ["additionalProperties"] = false };
        if (descriptions.TryGetValue(path, out string? description))
            made.Insert(0, "description", char.ToUpperInvariant(description[0]) + description[1..]);
        if (name == Named)
            section["additionalProperties"] = made;
        else
            section["properties"]![name] = made;
        return made;
    }

    private static JsonObject Find(JsonObject root, string path) => path.Split(':').Aggregate(
        root, (section, name) => (name == Named ? section["additionalProperties"] : section["properties"]![name])!.AsObject());

    private static JsonObject Schema(Setting setting) => setting.Form switch
    {
        SettingForm.Choice => new JsonObject { ["enum"] = Texts(setting.Choices) },
        SettingForm.Flag => new JsonObject { ["type"] = "boolean" },
        SettingForm.Number => new JsonObject { ["type"] = "integer", ["minimum"] = setting.Numbers!.Value.Min, ["maximum"] = setting.Numbers.Value.Max },
        SettingForm.Span => new JsonObject { ["type"] = "string", ["pattern"] = TimeSpanText },
        SettingForm.Sha256 => new JsonObject { ["type"] = "string", ["pattern"] = "^[0-9A-Fa-f]{64}$" },
        SettingForm.List => new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "string" } },
        SettingForm.Audiences => new JsonObject { ["type"] = "array", ["minItems"] = 1, ["items"] = new JsonObject { ["type"] = "string", ["pattern"] = AudienceName } },
        SettingForm.ScopesByRole => new JsonObject
        {
            ["type"] = "object",
            ["minProperties"] = 1,
            ["propertyNames"] = new JsonObject { ["pattern"] = Name },
            ["additionalProperties"] = new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "string", ["pattern"] = Name } },
        },
        _ => new JsonObject { ["type"] = "string" },
    };

    private static JsonNode? DefaultOf(Setting setting) => setting.Default switch
    {
        int number when !setting.Path.Contains("Connections", StringComparison.Ordinal) => number, // those two follow the file handles
        bool flag => flag,
        TimeSpan span => span.ToString("c", CultureInfo.InvariantCulture),
        string { Length: > 0 } text when setting.Path != "Admin:Keys:x:Role" => text,
        _ => null,
    };

    /// <summary>YARP's section: the gate's metadata and transforms, and everything else as YARP takes it.</summary>
    private static JsonObject ReverseProxy(IReadOnlyDictionary<string, string> descriptions)
    {
        var metadata = new JsonObject();
        foreach ((string key, Action<JsonObject> form) in new (string, Action<JsonObject>)[]
        {
            (DeviceAuthDefaults.HandshakeMetadata, OneOf(DeviceAuthDefaults.ConnectFrame, DeviceAuthDefaults.Proof, DeviceAuthDefaults.Off)),
            (DeviceAuthDefaults.HttpMetadata, OneOf(Enum.GetNames<HttpRequests>())),
            (DeviceAuthDefaults.AudienceMetadata, Pattern(AudienceName)),
            (DeviceAuthDefaults.RoleMetadata, Pattern(Name)),
            (DeviceAuthDefaults.ScopesMetadata, Pattern("^[A-Za-z0-9._:-]{1,128}( [A-Za-z0-9._:-]{1,128}){0,63}$")),
            (DeviceAuthDefaults.ProofHeaderMetadata, OneOf("Device-Proof", "DPoP")),
            (DeviceAuthDefaults.SessionTokensMetadata, OneOf("Deny", "Allow")),
        })
        {
            var value = new JsonObject { ["description"] = descriptions["Routes:" + key], ["type"] = "string" };
            form(value);
            metadata[key] = value;
        }

        var route = new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["ClusterId"] = new JsonObject { ["type"] = "string" },
                ["Order"] = new JsonObject { ["type"] = "integer" },
                ["Match"] = new JsonObject
                {
                    ["type"] = "object",
                    ["properties"] = new JsonObject
                    {
                        ["Path"] = new JsonObject { ["type"] = "string" },
                        ["Hosts"] = new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "string" } },
                        ["Methods"] = new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "string" } },
                    },
                },
                ["Metadata"] = new JsonObject
                {
                    ["type"] = "object",
                    ["properties"] = metadata,
                    ["propertyNames"] = new JsonObject { ["anyOf"] = new JsonArray(new JsonObject { ["enum"] = Texts(metadata.Select(m => m.Key)) }, new JsonObject { ["not"] = new JsonObject { ["pattern"] = "^DeviceAuth" } }) },
                    ["additionalProperties"] = new JsonObject { ["type"] = "string" },
                },
                ["Transforms"] = new JsonObject
                {
                    ["type"] = "array",
                    ["items"] = new JsonObject
                    {
                        ["type"] = "object",
                        ["allOf"] = new JsonArray(
                            Transform("DeviceHeader", ["Value"], ("Value", OneOf("id", "label", "role", "scopes"))),
                            Transform("DeviceAssertion", [], ("Algorithm", OneOf("ES256", "HS256")), ("SecretFile", Pattern(".")), ("Prefix", AnyText)),
                            Transform("RequestHeaderFromFile", ["File"], ("File", Pattern(".")), ("Prefix", AnyText))),
                    },
                },
            },
        };
        return new JsonObject
        {
            ["description"] = "Routes and clusters, as YARP has them.",
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["Routes"] = new JsonObject { ["type"] = "object", ["additionalProperties"] = route },
                ["Clusters"] = new JsonObject { ["type"] = "object", ["additionalProperties"] = new JsonObject { ["type"] = "object" } },
            },
        };
    }

    // The keys of one of the gate's own transforms, all of them.
    private static JsonObject Transform(string kind, string[] required, params (string Key, Action<JsonObject> Form)[] keys)
    {
        var properties = new JsonObject { [kind] = new JsonObject { ["type"] = "string", ["minLength"] = 1 } };
        foreach ((string key, Action<JsonObject> form) in keys)
        {
            var value = new JsonObject { ["type"] = "string" };
            form(value);
            properties[key] = value;
        }

        return new JsonObject
        {
            ["if"] = new JsonObject { ["required"] = Texts([kind]) },
            ["then"] = new JsonObject { ["required"] = Texts([kind, .. required]), ["properties"] = properties, ["additionalProperties"] = false },
        };
    }

    private static void AnyText(JsonObject value) => value["type"] = "string";

    private static Action<JsonObject> Pattern(string pattern) => value => value["pattern"] = pattern;

    private static Action<JsonObject> OneOf(params string[] names) => value =>
    {
        value.Remove("type");
        value["enum"] = Texts(names);
    };

    private static Action<JsonObject> Items(Action<JsonObject> form, int fewest = 0) => value =>
    {
        form(value["items"]!.AsObject());
        if (fewest > 0)
            value["minItems"] = fewest;
    };

    private static JsonArray Texts(IEnumerable<string> texts) => [.. texts.Select(t => JsonValue.Create(t))];

    [GeneratedRegex("<[a-z]+>", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"\[(?<text>[^\]]*)\]\([^)]*\)", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Link();
}
