using System.Net.Http.Json;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>The <see cref="EchoAgent"/> as a process.</summary>
internal sealed class RunningAgent : IAsyncDisposable
{
    private readonly ChildProcess _process;
    private readonly HttpClient _client = new();

    private RunningAgent(ChildProcess process)
    {
        _process = process;
        Address = new Uri(process.After("listens on"));
    }

    public Uri Address { get; }

    public static async Task<RunningAgent> StartAsync() =>
        new(await ChildProcess.StartAsync(AppContext.BaseDirectory, "ProxyGateway.Benchmarks.dll", "listens on", "echo-agent"));

    public async Task<AgentCounts> CountsAsync() => (await _client.GetFromJsonAsync<AgentCounts>(Address))!;

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _process.DisposeAsync();
    }
}
