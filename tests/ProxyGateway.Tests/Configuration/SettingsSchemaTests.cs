using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;
using Microsoft.Extensions.Configuration;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.Serving;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.Tests.Configuration;

/// <summary><c>appsettings.schema.json</c>, by which editors complete and check configurations, says what the gateway's own validation says.</summary>
public sealed class SettingsSchemaTests
{
    private const string Rule = """{ "DeviceAuth": { "Pairing": { "AutoApprove": { "office": { "From": ["10.0.0.0/8"], "Reasons": ["not-paired"], REST } } } } }""";

    private static readonly string File = Path.Combine(ShippedConfigurationTests.Root, "appsettings.schema.json");

    private static readonly JsonSerializerOptions WithComments = new() { ReadCommentHandling = JsonCommentHandling.Skip };

    private static readonly Lazy<JsonSchema> Schema = new(() => JsonSchema.FromText(System.IO.File.ReadAllText(File)));

    public static TheoryData<string> Shipped => ShippedConfigurationTests.Files;

    public static TheoryData<string> Documented => DocumentationTests.Examples;

    [Fact]
    public void The_file_is_what_the_readers_of_the_configuration_make()
    {
        string made = SettingsSchema.Make();
        if (Environment.GetEnvironmentVariable("PROXYGATEWAY_TEST_WRITE") is { Length: > 0 })
            System.IO.File.WriteAllText(File, made);

        System.IO.File.ReadAllText(File).ShouldBe(made, "PROXYGATEWAY_TEST_WRITE=1 ./test --filter SettingsSchemaTests writes it anew");
    }

    [Fact]
    public void Every_documented_key_is_in_it_and_every_key_in_it_is_documented()
    {
        string[] known = [.. SettingsSchema.Settings().Select(s => s.Path)];
        string[] documented = [.. SettingsSchema.Descriptions().Keys.Where(k => !k.StartsWith("Routes:", StringComparison.Ordinal))];

        documented.Where(d => !known.Any(k => k == d || k.StartsWith(d + ":", StringComparison.Ordinal))).ShouldBeEmpty();
        known.Except(documented).ShouldBe(["DeviceAuth:ScopeImplications:x:x"]);
    }

    [Theory]
    [MemberData(nameof(Shipped))]
    public void A_shipped_configuration_is_valid_and_names_it(string file)
    {
        string path = Path.Combine(ShippedConfigurationTests.Root, file);
        JsonElement settings = Parse(System.IO.File.ReadAllText(path));

        Complaints(settings).ShouldBeEmpty();
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, settings.GetProperty("$schema").GetString()!)).ShouldBe(File);
    }

    [Theory]
    [MemberData(nameof(Documented))]
    public void A_documented_example_is_valid(string json) => Complaints(Parse(json)).ShouldBeEmpty();

    [Theory]
    [InlineData("""{ "DeviceAuth": { "Handshke": "Proof" } }""")]
    [InlineData("""{ "DeviceAuth": { "Handshake": "None" } }""")]
    [InlineData("""{ "DeviceAuth": { "HttpRequests": "Ask" } }""")]
    [InlineData("""{ "DeviceAuth": { "HttpRequests": null } }""")]
    [InlineData("""{ "DeviceAuth": { "MaxHandshakeBytes": 1023 } }""")]
    [InlineData("""{ "DeviceAuth": { "MaxHandshakeBytes": 16777217 } }""")]
    [InlineData("""{ "DeviceAuth": { "HandshakeTimeout": "10" } }""")]
    [InlineData("""{ "DeviceAuth": { "HandshakeTimeout": "ten seconds" } }""")]
    [InlineData("""{ "DeviceAuth": { "AllowedOrigins": ["https://a.example/path"] } }""")]
    [InlineData("""{ "DeviceAuth": { "PublicOrigins": ["https://*.example"] } }""")]
    [InlineData("""{ "DeviceAuth": { "SharedToken": { "Sha256": "abc" } } }""")]
    [InlineData("""{ "DeviceAuth": { "SharedToken": { "Token": "abc" } } }""")]
    [InlineData("""{ "DeviceAuth": { "Backends": { "agent": { "OpenClaw": { "Tokn": "a" } } } } }""")]
    [InlineData("""{ "DeviceAuth": { "Backends": { "agent": { "OpenClaw": { "Token": "a b" } } } } }""")]
    [InlineData("""{ "DeviceAuth": { "Limits": { "Handshakes": 0 } } }""")]
    [InlineData("""{ "DeviceAuth": { "Limits": { "Connections": 1000001 } } }""")]
    [InlineData("""{ "DeviceAuth": { "Limits": { "Handshake": 5 } } }""")]
    [InlineData("""{ "DeviceAuth": { "Pairing": { "LegacyDevices": "Keep" } } }""")]
    [InlineData("""{ "DeviceAuth": { "Pairing": { "AutoApprove": { "7": { "From": ["any"], "Reasons": ["not-paired"] } } } } }""")]
    [InlineData("""{ "DeviceAuth": { "Pairing": { "AutoApprove": { "office": {} } } } }""")]
    [InlineData("""{ "DeviceAuth": { "Pairing": { "AutoApprove": { "office": { "From": [], "Reasons": ["not-paired"] } } } } }""")]
    [InlineData("""{ "DeviceAuth": { "Pairing": { "AutoApprove": { "office": { "From": ["everywhere"], "Reasons": ["not-paired"] } } } } }""")]
    [InlineData("""{ "DeviceAuth": { "Pairing": { "AutoApprove": { "office": { "From": ["any"], "Reasons": ["new"] } } } } }""")]
    [InlineData("rule", "\"Enabled\": 1")]
    [InlineData("rule", "\"Users\": []")]
    [InlineData("rule", "\"UpTo\": {}")]
    [InlineData("rule", "\"UpTo\": { \"client\": [\"a b\"] }")]
    [InlineData("rule", "\"Audiences\": [\"Billing\"]")]
    [InlineData("rule", "\"MaxDevicesPerHour\": 0")]
    [InlineData("rule", "\"Role\": \"client\"")]
    [InlineData("""{ "Registry": { "Provider": "Postgres" } }""")]
    [InlineData("""{ "Registry": { "Redis": { "KeyPrefix": "{a}" } } }""")]
    [InlineData("""{ "Registry": { "Redis": { "WaitForReplicas": 101 } } }""")]
    [InlineData("""{ "Registry": { "AuditBytes": 1 } }""")]
    [InlineData("""{ "Registry": { "Sqlite": { "File": "a" } } }""")]
    [InlineData("""{ "Registry": { "CloseStaleSessions": "maybe" } }""")]
    [InlineData("""{ "Admin": { "Url": "http://127.0.0.1:1/path" } }""")]
    [InlineData("""{ "Admin": { "Keys": { "ops": { "Sha256": "abc", "Role": "viewer" } } } }""")]
    [InlineData("""{ "Admin": { "Keys": { "ops": { "Sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "Role": "root" } } } }""")]
    [InlineData("""{ "Admin": { "Webhooks": { "chat": { "Url": "ftp://a", "SecretFile": "a" } } } }""")]
    [InlineData("""{ "Admin": { "Webhooks": { "chat": { "Url": "https://a", "Secret": "a" } } } }""")]
    [InlineData("""{ "Admin": { "Webhooks": { "chat": { "Url": "https://a", "SecretFile": "a", "Events": ["all"] } } } }""")]
    [InlineData("""{ "Telemetry": { "Prometheus": "On" } }""")]
    [InlineData("""{ "Telemetry": { "Otlp": { "Endpoint": "127.0.0.1:4317" } } }""")]
    [InlineData("""{ "Telemetry": { "Otlp": { "Protocol": "http" } } }""")]
    [InlineData("""{ "Telemetry": { "Traces": { "Percent": 101 } } }""")]
    public void What_the_gateway_refuses_it_refuses(string json, string? rest = null)
    {
        json = rest is null ? json : Rule.Replace("REST", rest, StringComparison.Ordinal);
        var errors = new ConfigurationErrors();
        IConfigurationRoot configuration = Configurations.Json(json);
        Configurations.Read(configuration, errors);
        RegistryOptionsReader.Read(configuration, errors);
        AdminOptionsReader.Read(configuration, errors);
        TelemetryOptionsReader.Read(configuration, errors);

        errors.All.ShouldNotBeEmpty("the gateway starts with it");
        Complaints(Parse(json)).ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData("DeviceAuth", "Proof", true)]
    [InlineData("DeviceAuth", "Off", true)]
    [InlineData("DeviceAuth", "On", false)]
    [InlineData("DeviceAuth.Htp", "Allow", false)]
    [InlineData("DeviceAuth.Http", "Allow", true)]
    [InlineData("DeviceAuth.Http", "Yes", false)]
    [InlineData("DeviceAuth.Audience", "billing", true)]
    [InlineData("DeviceAuth.Audience", "Billing", false)]
    [InlineData("DeviceAuth.Role", "client", true)]
    [InlineData("DeviceAuth.Role", "a role", false)]
    [InlineData("DeviceAuth.Scopes", "a b", true)]
    [InlineData("DeviceAuth.Scopes", "a  b", false)]
    [InlineData("DeviceAuth.ProofHeader", "DPoP", true)]
    [InlineData("DeviceAuth.ProofHeader", "dpop", false)]
    [InlineData("DeviceAuth.SessionTokens", "Allow", true)]
    [InlineData("DeviceAuth.SessionTokens", "Maybe", false)]
    [InlineData("Other", "anything", true)]
    public async Task A_routes_metadata_is_as_the_gate_takes_it(string key, string value, bool isValid)
    {
        var errors = new List<Exception>();
        await new DeviceAuthRouteValidator([DeviceAuthDefaults.ConnectFrame, DeviceAuthDefaults.Proof])
            .ValidateAsync(new RouteConfig { RouteId = "agent", Metadata = new Dictionary<string, string> { [key] = value } }, errors);
        var route = new JsonObject { ["Metadata"] = new JsonObject { [key] = value } };

        errors.Count.ShouldBe(isValid ? 0 : 1);
        Complaints(OfRoute(route)).Count.ShouldBe(isValid ? 0 : 1, "one complaint");
    }

    [Theory]
    [InlineData("""{ "DeviceHeader": "X-User", "Value": "id" }""", true)]
    [InlineData("""{ "DeviceHeader": "X-User", "Value": "name" }""", false)]
    [InlineData("""{ "DeviceHeader": "X-User" }""", false)]
    [InlineData("""{ "DeviceAssertion": "X-Who" }""", true)]
    [InlineData("""{ "DeviceAssertion": "X-Who", "Algorithm": "none" }""", false)]
    [InlineData("""{ "DeviceAssertion": "X-Who", "File": "a" }""", false)]
    [InlineData("""{ "RequestHeaderFromFile": "Authorization", "File": "/run/secrets/a", "Prefix": "Bearer " }""", true)]
    [InlineData("""{ "RequestHeaderFromFile": "Authorization" }""", false)]
    public void A_transform_of_the_gates_is_as_it_takes_it(string transform, bool isValid)
    {
        var errors = new List<string>();
        DeviceAuth.Identity.BackendHeaderReader.Read(JsonSerializer.Deserialize<Dictionary<string, string>>(transform)!, errors);

        (errors.Count == 0).ShouldBe(isValid);
        (Complaints(OfRoute(new JsonObject { ["Transforms"] = new JsonArray(JsonNode.Parse(transform)) })).Count == 0).ShouldBe(isValid);
    }

    private static JsonElement OfRoute(JsonObject route) =>
        Parse(new JsonObject { ["ReverseProxy"] = new JsonObject { ["Routes"] = new JsonObject { ["agent"] = route } } }.ToJsonString());

    private static JsonElement Parse(string json) => JsonSerializer.Deserialize<JsonElement>(json, WithComments);

    // Where the schema is not met, without the places that only contain one.
    private static List<string> Complaints(JsonElement settings)
    {
        EvaluationResults results = Schema.Value.Evaluate(settings, new EvaluationOptions { OutputFormat = OutputFormat.Hierarchical });
        return results.IsValid ? [] : [results.ToString()!];
    }
}
