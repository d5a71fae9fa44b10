using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using ProxyGateway.IntegrationTests.CommandLine;

namespace ProxyGateway.IntegrationTests.Clients.Mcp;

/// <summary>The command as a process, line by line.</summary>
internal sealed class McpProgram : IAsyncDisposable
{
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _errors = [];

    public McpProgram(string folder, string[] arguments)
    {
        string[] command = [.. BuiltProgram.Command(), .. arguments];
        _process = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        _process.ErrorDataReceived += (_, line) => _errors.Enqueue(line.Data ?? "");
        _process.BeginErrorReadLine();
    }

    public string Errors => string.Join('\n', _errors);

    public async Task SayAsync(string line)
    {
        await _process.StandardInput.WriteAsync(line + "\n");
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>The next line of the standard output, which must be JSON; null at its end.</summary>
    public async Task<JsonNode?> HearAsync()
    {
        string? line = await _process.StandardOutput.ReadLineAsync().WaitAsync(Eventually.Patience);
        return line is null ? null : JsonNode.Parse(line);
    }

    public async Task<JsonNode> AskAsync(string line)
    {
        await SayAsync(line);
        return (await HearAsync()).ShouldNotBeNull(Errors);
    }

    /// <summary>Ends its standard input; its exit code.</summary>
    public async Task<int> EndAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync().WaitAsync(Eventually.Patience);
        return _process.ExitCode;
    }

    /// <summary>Asks it to end (SIGTERM); its exit code.</summary>
    public async Task<int> TerminateAsync()
    {
        using Process kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
        await kill.WaitForExitAsync();
        await _process.WaitForExitAsync().WaitAsync(Eventually.Patience);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
