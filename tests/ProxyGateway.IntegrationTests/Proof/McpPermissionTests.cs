using System.ComponentModel;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Sqlite;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>The shipped table of permissions, before an MCP server of the official SDK.</summary>
public sealed class McpPermissionTests : IAsyncLifetime, IDisposable
{
    private const string Revision = "2026-07-28";

    private readonly ProofSigner _device = ProofSigner.WithP256();
    private readonly string _folder = Directory.CreateTempSubdirectory("mcp-").FullName;
    private WebApplication _server = null!;
    private WebApplication _gate = null!;

    private Uri Endpoint => new(_gate.Urls.First() + "/mcp");

    public async Task InitializeAsync()
    {
        WebApplicationBuilder server = WebApplication.CreateSlimBuilder();
        server.Logging.ClearProviders();
        server.WebHost.UseUrls("http://127.0.0.1:0");
        server.Services.AddMcpServer().WithHttpTransport().WithTools<Tools>();
        _server = server.Build();
        _server.MapMcp("/mcp");
        await _server.StartAsync();

        WebApplicationBuilder gate = WebApplication.CreateSlimBuilder();
        gate.Configuration.Sources.Clear();
        gate.Configuration
            .AddJsonFile(Config("any-agent.json"))
            .AddJsonFile(Config("mcp.json"))
            .AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["Urls"] = "http://127.0.0.1:0",
                ["ReverseProxy:Clusters:agent:Destinations:local:Address"] = _server.Urls.First(),
            });
        gate.Logging.ClearProviders();
        gate.WebHost.UseUrls("http://127.0.0.1:0");
        gate.Services.AddDeviceAuthorization(gate.Configuration).AddSqliteStore(new SqliteStoreOptions { Path = Path.Combine(_folder, "registry.db") });
        gate.Services.AddReverseProxy().LoadFromConfig(gate.Configuration.GetSection("ReverseProxy"));
        _gate = gate.Build();
        _gate.MapReverseProxy(proxy => proxy.UseDeviceAuthorization());
        await _gate.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _gate.DisposeAsync();
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    public void Dispose() => _device.Dispose();

    [Fact]
    public async Task A_client_of_the_SDK_lists_the_tools_calls_the_one_it_may_and_is_refused_the_other()
    {
        await using McpClient client = await ConnectAsync("mcp.look", "mcp.call");

        (await client.ListToolsAsync()).Select(t => t.Name).ShouldBe(["echo", "wipe"], ignoreOrder: true);
        (await client.CallToolAsync("echo", new Dictionary<string, object?> { ["text"] = "hello" })).Content.OfType<TextContentBlock>().Single().Text.ShouldBe("hello");
        HttpRequestException refused = await Should.ThrowAsync<HttpRequestException>(async () => await client.CallToolAsync("wipe"));

        refused.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        Tools.Wiped.ShouldBe(0);
    }

    [Theory]
    [InlineData("tools/list", null, "wipe", 400)] // the header of another method: the server compares
    [InlineData("tools/call", "echo", "wipe", 400)] // the name of another tool
    [InlineData("tools/call", "wipe", "wipe", 403)]
    [InlineData("tools/call", "=?base64?d2lwZQ==?=", "wipe", 403)] // encoded: no route names it
    [InlineData("tools/call", "echo,wipe", "wipe", 400)] // a list: the gate refuses
    [InlineData("tools/list,tools/call", "wipe", "wipe", 400)]
    [InlineData("tools/call", null, "wipe", 403)]
    [InlineData("tools/call", "echo", "echo", 200)]
    public async Task Whatever_a_header_says_no_other_tool_is_called(string method, string? name, string tool, int expected)
    {
        using HttpResponseMessage answer = await PostAsync(method, name, tool, Revision);

        ((int)answer.StatusCode).ShouldBe(expected, await answer.Content.ReadAsStringAsync());
        Tools.Wiped.ShouldBe(0);
    }

    [Theory]
    [InlineData("2025-11-25", 403)]
    [InlineData(null, 403)]
    [InlineData("2026-07-28,2025-11-25", 400)]
    public async Task A_request_of_an_older_revision_needs_the_scope_for_everything(string? revision, int expected)
    {
        using HttpResponseMessage answer = await PostAsync("tools/call", "echo", "wipe", revision);

        ((int)answer.StatusCode).ShouldBe(expected, await answer.Content.ReadAsStringAsync());
        Tools.Wiped.ShouldBe(0);
    }

    private static string Config(string file, [CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../../config", file));

    private Task<McpClient> ConnectAsync(params string[] scopes)
    {
        var transport = new HttpClientTransport(new HttpClientTransportOptions { Endpoint = Endpoint, TransportMode = HttpTransportMode.StreamableHttp }, Proving(scopes), ownsHttpClient: true);
        return McpClient.CreateAsync(transport, new McpClientOptions { ProtocolVersion = Revision });
    }

    private async Task<HttpResponseMessage> PostAsync(string method, string? name, string tool, string? revision)
    {
        string arguments = tool == "echo" ? """{"text":"hello"}""" : "{}";
        string meta = """{"io.modelcontextprotocol/protocolVersion":"REVISION","io.modelcontextprotocol/clientInfo":{"name":"test","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"""
            .Replace("REVISION", revision ?? Revision, StringComparison.Ordinal);
        using var request = new HttpRequestMessage(HttpMethod.Post, Endpoint)
        {
            Content = new StringContent(
                $$$"""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"{{{tool}}}","arguments":{{{arguments}}},"_meta":{{{meta}}}}}""", Encoding.UTF8, "application/json"),
        };
        request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        request.Headers.TryAddWithoutValidation("Mcp-Method", method);
        if (name is not null)
            request.Headers.TryAddWithoutValidation("Mcp-Name", name);
        if (revision is not null)
            request.Headers.TryAddWithoutValidation("MCP-Protocol-Version", revision);
        using HttpClient http = Proving("mcp.look", "mcp.call");
        return await http.SendAsync(request);
    }

    private HttpClient Proving(params string[] scopes) =>
        new(new ProofHandler(_device, new ProofOptions { Scopes = ScopeSet.Of(scopes) }) { InnerHandler = new SocketsHttpHandler() }) { Timeout = Eventually.Patience };

    private sealed class Tools
    {
        public static int Wiped;

        [McpServerTool(Name = "echo"), Description("Says it again.")]
        public static string Echo(string text) => text;

        [McpServerTool(Name = "wipe"), Description("Removes everything.")]
        public static string Wipe() => $"{Interlocked.Increment(ref Wiped)}";
    }
}
