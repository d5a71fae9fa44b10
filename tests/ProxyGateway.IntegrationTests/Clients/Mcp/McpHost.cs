using System.IO.Pipelines;
using System.Text;
using System.Text.Json.Nodes;
using ProxyGateway.Connecting.Mcp;
using ProxyGateway.DeviceAuth.Client;

namespace ProxyGateway.IntegrationTests.Clients.Mcp;

/// <summary>The host's side of a bridge in this process, line by line.</summary>
internal sealed class McpHost : IAsyncDisposable
{
    public const string Initialize = """{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}""";
    public const string Initialized = """{"jsonrpc":"2.0","method":"notifications/initialized"}""";

    private readonly Pipe _input = new();
    private readonly Pipe _output = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly DeviceIdentity _device = DeviceIdentity.Create();
    private readonly McpEndpoint _endpoint;
    private readonly McpBridge _bridge;
    private readonly StreamReader _reader;
    private readonly Task<bool> _run;

    public McpHost(Uri url, TimeProvider? time = null)
    {
        _endpoint = new McpEndpoint(url, _device, new ProofClaims(), "0000", time ?? TimeProvider.System);
        _bridge = new McpBridge(_endpoint, _input.Reader.AsStream(), _output.Writer.AsStream(), _stop.Token);
        _reader = new StreamReader(_output.Reader.AsStream(), Encoding.UTF8);
        _run = _bridge.RunAsync();
    }

    public async Task SayAsync(string line)
    {
        await _input.Writer.WriteAsync(Encoding.UTF8.GetBytes(line + "\n"));
    }

    /// <summary>The next line that the host gets.</summary>
    public async Task<string> HearLineAsync() => (await _reader.ReadLineAsync().WaitAsync(Eventually.Patience)).ShouldNotBeNull();

    public async Task<JsonNode> HearAsync() => JsonNode.Parse(await HearLineAsync())!;

    public async Task<JsonNode> AskAsync(string line)
    {
        await SayAsync(line);
        return await HearAsync();
    }

    public async Task InitializeAsync()
    {
        (await AskAsync(Initialize))["result"].ShouldNotBeNull();
        await SayAsync(Initialized);
    }

    /// <summary>Ends the standard input; whether everything was answered.</summary>
    public async Task<bool> EndAsync()
    {
        await _input.Writer.CompleteAsync();
        return await _run.WaitAsync(Eventually.Patience);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run.WaitAsync(Eventually.Patience);
        _bridge.Dispose();
        _endpoint.Dispose();
        _device.Dispose();
        _stop.Dispose();
        _reader.Dispose();
    }
}
