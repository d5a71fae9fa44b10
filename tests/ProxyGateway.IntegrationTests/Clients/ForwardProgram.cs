using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Proof;

namespace ProxyGateway.IntegrationTests.Clients;

/// <summary>The command forward as a process.</summary>
internal sealed class ForwardProgram : IAsyncDisposable
{
    private readonly ProgramUnderTest _program = new();
    private RunningProgram _running = null!;

    /// <summary>Where local clients come.</summary>
    public Uri Address { get; private set; } = null!;

    public string Folder => _program.Folder;

    public RunningProgram Running => _running;

    public static async Task<ForwardProgram> StartAsync(Uri target, params string[] arguments)
    {
        var forward = new ForwardProgram();
        forward._running = forward._program.StartServer(
            "proxygateway.dll", ["forward", target.ToString(), .. arguments.Contains("--listen") ? [] : (string[])["--listen", "127.0.0.1:0"], .. arguments]);
        await forward._running.PrintsAsync("is forwarded to");
        string first = forward._running.Lines().First(line => line.Contains("is forwarded to", StringComparison.Ordinal));
        forward.Address = new Uri(first.Split(' ')[0].Replace("http://unix:", "unix:", StringComparison.Ordinal));
        return forward;
    }

    /// <summary>A forwarder whose device an operator has let in.</summary>
    public static async Task<ForwardProgram> StartPairedAsync(ProofSetting gate, Uri target, params string[] arguments)
    {
        ForwardProgram forward = await StartAsync(target, arguments);
        await gate.ApproveAsync(await forward.AsksAsync());
        await forward.SaysAsync("lets this device in");
        gate.Heard.Clear();
        gate.State.Requests = 0;
        return forward;
    }

    /// <summary>The request that it says it has made.</summary>
    /// <param name="after">One that it has made before; null: none.</param>
    public async Task<RequestId> AsksAsync(RequestId? after = null)
    {
        RequestId? asked = null;
        await Eventually.HoldsAsync(
            async () => (asked = RequestId.Parse((await SaysAsync("proxygateway requests approve ")).Split(' ')[0])) != after, "it asks");
        return asked!.Value;
    }

    /// <summary>What comes after these words in the last line that has them.</summary>
    public Task<string> SaysAsync(string words) => _running.PrintsAsync(words);

    public HttpClient Client() => new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { BaseAddress = Address, Timeout = Eventually.Patience };

    public async ValueTask DisposeAsync()
    {
        await _running.DisposeAsync();
        _program.Delete();
    }
}
