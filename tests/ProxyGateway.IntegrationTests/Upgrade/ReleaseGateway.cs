using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Upgrade;

/// <summary>A gateway of some release as a process.</summary>
internal sealed class ReleaseGateway : IAsyncDisposable
{
    /// <summary>The origin that proofs name at every gateway.</summary>
    public static readonly Uri Origin = new("http://gate.test");

    // Two programs start at once, beside other tests.
    private static readonly TimeSpan Patience = 6 * Eventually.Patience;

    private const string Key = "a-key-of-operators-a-key-of-operators-x";

    private readonly HttpClient _plain = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = Patience };
    private readonly ProgramUnderTest _folder;
    private readonly RunningProgram _running;
    private readonly HttpClient _operators;

    private ReleaseGateway(ProgramUnderTest folder, RunningProgram running, Uri url, Uri operators)
    {
        (_folder, _running, Where) = (folder, running, url);
        _operators = new HttpClient { BaseAddress = operators, Timeout = Patience };
        _operators.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
    }

    public Uri Where { get; }

    /// <summary>Starts one and waits until it hears what others change.</summary>
    /// <param name="program">The program.</param>
    /// <param name="agentUrl">The agent behind it.</param>
    /// <param name="registry">The section <c>Registry</c>.</param>
    /// <param name="hasProofs">Whether it knows the handshake Proof and audiences.</param>
    public static async Task<ReleaseGateway> StartAsync(string program, string agentUrl, JsonObject registry, bool hasProofs)
    {
        var folder = new ProgramUnderTest();
        var routes = new JsonObject { ["agent"] = Route("/", new JsonObject { ["DeviceAuth"] = "ConnectFrame" }) };
        var gate = new JsonObject
        {
            ["HandshakeTimeout"] = "00:01:00",
            ["Pairing"] = new JsonObject { ["AutoApprove"] = new JsonObject { ["loopback"] = new JsonObject { ["UpTo"] = new JsonObject { ["operator"] = new JsonArray("operator.admin") } } } },
        };
        if (hasProofs)
        {
            routes["work"] = Route("/work", new JsonObject { ["DeviceAuth"] = "Proof", ["DeviceAuth.SessionTokens"] = "Allow" });
            routes["billing"] = Route("/billing", new JsonObject { ["DeviceAuth"] = "ConnectFrame", ["DeviceAuth.Audience"] = "billing" });
            gate["PublicOrigins"] = new JsonArray(Origin.ToString().TrimEnd('/'));
        }

        var settings = new JsonObject
        {
            ["Urls"] = "http://127.0.0.1:0",
            ["ReverseProxy"] = new JsonObject
            {
                ["Routes"] = routes,
                ["Clusters"] = new JsonObject { ["agent"] = new JsonObject { ["Destinations"] = new JsonObject { ["local"] = new JsonObject { ["Address"] = agentUrl } } } },
            },
            ["DeviceAuth"] = gate,
            ["Registry"] = registry.DeepClone(),
            ["Admin"] = new JsonObject
            {
                ["Url"] = "http://127.0.0.1:0",
                ["Keys"] = new JsonObject { ["ops"] = new JsonObject { ["Sha256"] = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Key))), ["Role"] = "approver" } },
            },
        };
        await File.WriteAllTextAsync(Path.Combine(folder.Folder, "appsettings.json"), settings.ToJsonString());
        RunningProgram running = folder.StartServer(program);
        try
        {
            await PrintsAsync(running, "Application started");
            if ((string?)registry["Provider"] == "Redis")
                await PrintsAsync(running, "Announcements of other gateways' changes arrive");
            return new ReleaseGateway(
                folder, running, new Uri(await running.PrintsAsync("Now listening on:")), new Uri(await running.PrintsAsync("Operators are served on")));
        }
        catch (Exception e)
        {
            await running.DisposeAsync();
            folder.Delete();
            throw new InvalidOperationException($"{program} did not start: {string.Join('\n', running.Lines())}", e);
        }
    }

    /// <summary>A device connects with OpenClaw's protocol.</summary>
    public async Task<Outcome> ConnectAsync(TestDevice device, string role = "operator", string path = "/")
    {
        FrameConnection client = await TestClient.OpenAsync(Where.Port, path);
        string nonce = (await client.ReceiveJsonAsync()).GetProperty("payload").GetProperty("nonce").GetString()!;
        await client.SendTextAsync(new Ask { Role = role, Nonce = nonce }.SignedBy(device));
        return await TestClient.OutcomeAsync(client);
    }

    /// <summary>A nonce for proofs.</summary>
    public async Task<string> NonceAsync()
    {
        using HttpResponseMessage answer = await _plain.GetAsync(new Uri(Where, "/.well-known/proxygateway/nonce"));
        answer.StatusCode.ShouldBe(HttpStatusCode.OK);
        return answer.Headers.GetValues("Device-Nonce").Single();
    }

    /// <summary>Sends a request with this header.</summary>
    public async Task<(HttpStatusCode Status, string Body)> SendAsync(string header, string value, HttpMethod? method = null, string path = "/work", string? body = null)
    {
        using var request = new HttpRequestMessage(method ?? HttpMethod.Get, new Uri(Where, path));
        request.Headers.TryAddWithoutValidation(header, value);
        if (body is not null)
            request.Content = new StringContent(body);
        using HttpResponseMessage answer = await _plain.SendAsync(request);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>Sends a request with a fresh proof.</summary>
    public async Task<(HttpStatusCode Status, string Body)> ProveAsync(ProofSigner device, ProofOptions? options = null) =>
        await SendAsync("Device-Proof", device.Prove("GET", new Uri(Origin, "/work"), await NonceAsync(), options));

    /// <summary>What an operator does.</summary>
    public async Task<JsonNode?> OperateAsync(HttpMethod method, string path, JsonNode? body = null, HttpStatusCode? expected = null)
    {
        using var request = new HttpRequestMessage(method, "/admin/v1/" + path) { Content = body is null ? null : JsonContent.Create(body) };
        using HttpResponseMessage answer = await _operators.SendAsync(request);
        string text = await answer.Content.ReadAsStringAsync();
        if (expected is { } status)
            answer.StatusCode.ShouldBe(status, text);
        else
            answer.IsSuccessStatusCode.ShouldBeTrue($"{method} {path}: {answer.StatusCode} {text}");
        return text.Length == 0 ? null : JsonNode.Parse(text);
    }

    /// <summary>Asks whether it is ready, without a remark.</summary>
    public async Task ShouldBeReadyAsync()
    {
        using HttpResponseMessage answer = await _operators.GetAsync(new Uri("/readyz", UriKind.Relative));
        string text = await answer.Content.ReadAsStringAsync();
        (answer.StatusCode, text.Trim()).ShouldBe((HttpStatusCode.OK, "ok"));
    }

    public Task<JsonNode?> ApproveAsync(string request) => OperateAsync(HttpMethod.Post, $"requests/{request}/approve");

    public Task<JsonNode?> RemoveAsync(TestDevice device) => OperateAsync(HttpMethod.Delete, $"devices/{device.Id}");

    public async Task<JsonObject> DeviceAsync(TestDevice device) => (await OperateAsync(HttpMethod.Get, $"devices/{device.Id}"))!.AsObject();

    /// <summary>Waits until the audit has an entry of a device.</summary>
    public async Task HasEntryAsync(string kind, TestDevice device) => await Eventually.HoldsAsync(
        async () => (await OperateAsync(HttpMethod.Get, $"audit?kind={kind}&device={device.Id}"))!["items"]!.AsArray().Count > 0, $"the audit has {kind}");

    /// <summary>Asks it to end, and waits for that.</summary>
    public async Task StopAsync()
    {
        await _running.TerminateAsync();
        (await _running.EndsAsync()).ShouldBe(0, string.Join('\n', _running.Lines()));
    }

    public async ValueTask DisposeAsync()
    {
        _plain.Dispose();
        _operators.Dispose();
        await _running.DisposeAsync();
        _folder.Delete();
    }

    private static async Task PrintsAsync(RunningProgram running, string sign) =>
        await Eventually.HoldsAsync(() => Task.FromResult(running.Lines().Any(l => l.Contains(sign, StringComparison.Ordinal))), $"prints '{sign}'", Patience);

    private static JsonObject Route(string path, JsonObject metadata) =>
        new() { ["ClusterId"] = "agent", ["Match"] = new JsonObject { ["Path"] = path }, ["Metadata"] = metadata };
}
