using System.Net.ServerSentEvents;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Microsoft.OpenApi;
using Microsoft.OpenApi.Reader;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>What <c>/openapi/v1.json</c> says is complete, and true.</summary>
public sealed partial class OpenApiTests : IAsyncLifetime
{
    private TestAdmin _admin = null!;
    private JsonElement _document;

    private IEnumerable<(string Path, string Method, JsonElement Operation)> Operations =>
        from path in _document.GetProperty("paths").EnumerateObject()
        from operation in path.Value.EnumerateObject()
        select (path.Name, operation.Name, operation.Value);

    public async Task InitializeAsync()
    {
        _admin = await TestAdmin.StartAsync();
        _document = (await _admin.GetAsync("/openapi/v1.json", key: null)).Json;
    }

    public async Task DisposeAsync() => await _admin.DisposeAsync();

    [Fact]
    public async Task The_description_needs_no_key()
    {
        Answer answer = await _admin.GetAsync("/openapi/v1.json", key: null);
        (answer.Status, answer.MediaType).ShouldBe((200, "application/json"));
        Answer head = await _admin.SendAsync(HttpMethod.Head, "/openapi/v1.json", key: null);
        (head.Status, head.MediaType, head.Text).ShouldBe((200, "application/json", ""));
    }

    [Fact]
    public void A_parser_reads_the_description()
    {
        ReadResult read = OpenApiDocument.Parse(_document.GetRawText(), OpenApiConstants.Json);

        read.Diagnostic!.Errors.ShouldBeEmpty();
        read.Diagnostic.Warnings.ShouldBeEmpty();
        read.Document!.Components!.SecuritySchemes!.Values.Single().Scheme.ShouldBe("bearer");
    }

    [Fact]
    public void The_description_has_every_endpoint()
    {
        IEnumerable<string> mapped =
            from endpoint in _admin.Endpoints.OfType<RouteEndpoint>()
            let path = "/" + endpoint.RoutePattern.RawText!.Trim('/')
            where path.StartsWith("/admin/", StringComparison.Ordinal) || path.EndsWith('z')
            from method in endpoint.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods
            select $"{method} {path}";

        Operations.Select(o => $"{o.Method.ToUpperInvariant()} {o.Path}").Order().ShouldBe(mapped.Order());
    }

    [Fact]
    public void Every_operation_describes_its_input_and_answers()
    {
        Operations.Select(o => o.Operation.GetProperty("operationId").GetString()).ShouldBeUnique();
        foreach ((string path, string method, JsonElement operation) in Operations)
        {
            string where = $"{method} {path}";
            operation.GetProperty("summary").GetString().ShouldNotBeNullOrWhiteSpace(where);
            operation.GetProperty("tags").GetArrayLength().ShouldBe(1, where);
            operation.TryGetProperty("security", out _).ShouldBe(path.StartsWith("/admin/", StringComparison.Ordinal) && path != "/admin/v1/proof", where);

            JsonElement[] parameters = operation.TryGetProperty("parameters", out JsonElement p) ? [.. p.EnumerateArray()] : [];
            PathParameters().Matches(path).Select(m => m.Groups["name"].Value).Order()
                .ShouldBe(parameters.Where(x => x.GetProperty("in").GetString() == "path").Select(x => x.GetProperty("name").GetString()!).Order(), where);
            parameters.ShouldAllBe(x => IsBounded(x.GetProperty("schema")), where);

            foreach (JsonProperty response in operation.GetProperty("responses").EnumerateObject().Where(r => r.Name != "204"))
            {
                JsonProperty content = response.Value.GetProperty("content").EnumerateObject().Single();
                content.Value.GetProperty("schema").EnumerateObject().ShouldNotBeEmpty($"{where} {response.Name}");
                (content.Name == "application/problem+json").ShouldBe(response.Name[0] != '2', $"{where} {response.Name}");
            }
        }
    }

    [Fact]
    public void Every_reference_resolves_and_every_schema_is_complete()
    {
        string[] references = [.. Reference().Matches(_document.GetRawText()).Select(m => m.Groups["name"].Value).Distinct()];
        JsonElement schemas = _document.GetProperty("components").GetProperty("schemas");

        references.Order().ShouldBe(schemas.EnumerateObject().Select(s => s.Name).Order());
        foreach (JsonProperty schema in schemas.EnumerateObject())
            ShouldSayWhatItIs(schema.Value, schema.Name);
    }

    [Fact]
    public async Task Answers_match_the_description()
    {
        DeviceId paired = await _admin.PairAsync(Some.Claim("operator", "operator.read"));
        PairingRequest approved = await _admin.AskAsync(Some.Claim("operator", "operator.read"));
        PairingRequest rejected = await _admin.AskAsync(Some.Claim("node"));
        await _admin.AskAsync(Some.Claim("operator"));
        await _admin.AskAsync(Some.Claim("operator"));

        await ShouldBeAsDescribedAsync("isAlive", "/healthz", 200);
        await ShouldBeAsDescribedAsync("isReady", "/readyz", 200);
        foreach (string key in new[] { TestAdmin.Approver, TestAdmin.Viewer, TestAdmin.Limited })
            await ShouldBeAsDescribedAsync("getMe", "/admin/v1/me", 200, key);
        await ShouldBeAsDescribedAsync("listRequests", "/admin/v1/requests", 200);
        await ShouldBeAsDescribedAsync("listRequests", "/admin/v1/requests?limit=1", 200);
        await ShouldBeAsDescribedAsync("listRequests", "/admin/v1/requests?limit=0", 400);
        await ShouldBeAsDescribedAsync("listRequests", "/admin/v1/requests", 401, key: null);
        await ShouldBeAsDescribedAsync("getRequest", $"/admin/v1/requests/{approved.Id}", 200);
        await ShouldBeAsDescribedAsync("getRequest", "/admin/v1/requests/x", 404);
        await ShouldBeAsDescribedAsync("approveRequest", $"/admin/v1/requests/{approved.Id}/approve", 403, TestAdmin.Viewer);
        await ShouldBeAsDescribedAsync("approveRequest", $"/admin/v1/requests/{approved.Id}/approve", 422, json: """{"scopes":["more"]}""");
        await ShouldBeAsDescribedAsync("approveRequest", $"/admin/v1/requests/{approved.Id}/approve", 200, json: """{"scopes":["operator.read"]}""");
        await ShouldBeAsDescribedAsync("rejectRequest", $"/admin/v1/requests/{approved.Id}/reject", 409);
        await ShouldBeAsDescribedAsync("rejectRequest", $"/admin/v1/requests/{rejected.Id}/reject", 200);
        await ShouldBeAsDescribedAsync("getRequest", $"/admin/v1/requests/{rejected.Id}", 200);
        await ShouldBeAsDescribedAsync("listDevices", "/admin/v1/devices", 200);
        await ShouldBeAsDescribedAsync("getDevice", $"/admin/v1/devices/{paired}", 200);
        await ShouldBeAsDescribedAsync("removeDevice", $"/admin/v1/devices/{paired}", 204);
        await ShouldBeAsDescribedAsync("removeDevice", $"/admin/v1/devices/{paired}", 404);
        await ShouldBeAsDescribedAsync("listAudit", "/admin/v1/audit?kind=none", 400);
        await ShouldBeAsDescribedAsync("readOverview", "/admin/v1/overview", 200, TestAdmin.Viewer);
        await ShouldBeAsDescribedAsync("readOverview", "/admin/v1/overview?hours=0", 400);
        await Eventually.HoldsAsync(
            async () => (await ShouldBeAsDescribedAsync("listAudit", "/admin/v1/audit", 200)).Json.GetProperty("items").GetArrayLength() > 7, "entries are there");
    }

    [Fact]
    public async Task Events_match_the_description()
    {
        await _admin.AskAsync(Some.Claim());
        using var request = new HttpRequestMessage(HttpMethod.Get, "/admin/v1/events");
        request.Headers.Add("Authorization", "Bearer " + TestAdmin.Viewer);
        request.Headers.Add("Last-Event-ID", "0");
        using HttpResponseMessage response = await _admin.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);

        Operation("streamEvents").Operation.GetProperty("responses").GetProperty("200").GetProperty("content")
            .TryGetProperty(response.Content.Headers.ContentType!.MediaType!, out _).ShouldBeTrue();
        await foreach (SseItem<string> item in SseParser.Create(await response.Content.ReadAsStreamAsync()).EnumerateAsync())
        {
            item.EventType.ShouldBe("request-opened");
            SchemaCheck.Errors(_document, _document.GetProperty("components").GetProperty("schemas").GetProperty("AuditEntry"), JsonDocument.Parse(item.Data).RootElement)
                .ShouldBeEmpty();
            break;
        }
    }

    private (string Path, string Method, JsonElement Operation) Operation(string id) =>
        Operations.Single(o => o.Operation.GetProperty("operationId").GetString() == id);

    private async Task<Answer> ShouldBeAsDescribedAsync(string operationId, string path, int status, string? key = TestAdmin.Approver, string? json = null)
    {
        (string template, string method, JsonElement operation) = Operation(operationId);
        Regex.IsMatch(path.Split('?')[0], "^" + PathParameters().Replace(template, "[^/]+") + "$", RegexOptions.None, TimeSpan.FromSeconds(1)).ShouldBeTrue(path);

        Answer answer = await _admin.SendAsync(HttpMethod.Parse(method), path, key, json);

        answer.Status.ShouldBe(status, answer.Text);
        JsonElement described = operation.GetProperty("responses").GetProperty($"{status}");
        if (status == 204)
        {
            answer.Text.ShouldBeEmpty();
            return answer;
        }

        JsonProperty content = described.GetProperty("content").EnumerateObject().Single();
        content.Name.ShouldBe(answer.MediaType);
        if (answer.Json.ValueKind != JsonValueKind.Undefined)
            SchemaCheck.Errors(_document, content.Value.GetProperty("schema"), answer.Json).ShouldBeEmpty(answer.Text);
        if (status >= 400)
            described.GetProperty("description").GetString()!.ShouldContain($"`{answer.Json.GetProperty("type").GetString()!.Split(':')[^1]}`");
        return answer;
    }

    private static bool IsBounded(JsonElement schema) => schema.GetProperty("type").GetString() switch
    {
        "string" => schema.TryGetProperty("pattern", out _) || schema.TryGetProperty("enum", out _) || schema.TryGetProperty("minLength", out _),
        "integer" => schema.TryGetProperty("minimum", out _) && schema.TryGetProperty("maximum", out _),
        _ => false,
    };

    private static void ShouldSayWhatItIs(JsonElement schema, string where)
    {
        if (schema.TryGetProperty("$ref", out _))
            return;
        schema.TryGetProperty("type", out JsonElement type).ShouldBeTrue(where);
        switch (type.ToString())
        {
            case "object":
                if (schema.TryGetProperty("properties", out JsonElement properties))
                {
                    foreach (JsonProperty property in properties.EnumerateObject())
                        ShouldSayWhatItIs(property.Value, $"{where}.{property.Name}");
                }
                else
                {
                    ShouldSayWhatItIs(schema.GetProperty("additionalProperties"), where + ".*");
                }

                break;
            case "array":
                ShouldSayWhatItIs(schema.GetProperty("items"), where + "[]");
                break;
        }
    }

    [GeneratedRegex(@"\{(?<name>[^}]+)\}", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PathParameters();

    [GeneratedRegex(@"#/components/schemas/(?<name>[^""]+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Reference();
}
