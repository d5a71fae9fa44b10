using System.Diagnostics;
using System.Text.Json;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>The program as users run it: a process of its own, in a folder of its own, with a home of its own.</summary>
internal sealed class ProgramUnderTest
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("program-");

    public string Folder => _folder.FullName;

    public string KeyFile => Path.Combine(Folder, "data", "admin.key");

    /// <summary>Runs a command to its end.</summary>
    public Task<Ended> RunAsync(params string[] arguments) => EndAsync(Start("proxygateway.dll", arguments));

    /// <summary>Runs a command to its end, as a shell that sees <c>$@</c> does it.</summary>
    public Task<Ended> RunInShellAsync(string shell, params string[] arguments) => EndAsync(Start("proxygateway.dll", arguments, shell));

    /// <summary>Starts a program that does not end by itself.</summary>
    public RunningProgram StartServer(string dll, params string[] arguments) => new(Start(dll, arguments));

    /// <summary>Starts an agent, and writes an <c>appsettings.json</c> that serves it.</summary>
    public async Task<RunningProgram> StartAgentAsync()
    {
        RunningProgram agent = StartServer("SampleAgent.dll", "--urls", "http://127.0.0.1:0");
        Configure(await agent.PrintsAsync("listens on"));
        return agent;
    }

    /// <summary>Starts one as a shell that sees <c>$@</c> does it.</summary>
    public RunningProgram StartServerInShell(string shell, string dll, params string[] arguments) => new(Start(dll, arguments, shell));

    /// <summary>Writes an <c>appsettings.json</c> that serves this agent, on ports of the system's choice.</summary>
    public void Configure(string agentUrl) => File.WriteAllText(Path.Combine(Folder, "appsettings.json"), $$"""
        {
          "Urls": "http://127.0.0.1:0",
          "ReverseProxy": {
            "Routes": { "agent": { "ClusterId": "agent", "Match": { "Path": "/{**path}" } } },
            "Clusters": { "agent": { "Destinations": { "local": { "Address": "{{agentUrl}}" } } } }
          },
          "Admin": { "Url": "http://127.0.0.1:0" }
        }
        """);

    public void Delete() => _folder.Delete(recursive: true);

    private static async Task<Ended> EndAsync(Process started)
    {
        using Process process = started;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(Eventually.Patience);
        return new Ended(process.ExitCode, await output, await error);
    }

    private Process Start(string dll, string[] arguments, string? shell = null)
    {
        string[] command = [.. BuiltProgram.Command(dll), .. arguments];
        if (shell is not null)
            command = ["bash", "-c", shell, "bash", .. command];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            WorkingDirectory = Folder,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["XDG_CONFIG_HOME"] = Path.Combine(Folder, "config");
        start.Environment["HOME"] = Folder;
        foreach (string name in start.Environment.Keys.Where(k => k.StartsWith("PROXYGATEWAY_", StringComparison.Ordinal) || k.StartsWith("ASPNETCORE_", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(name);
        return Process.Start(start)!;
    }
}

/// <summary>What a command left.</summary>
internal sealed record Ended(int ExitCode, string Output, string Error)
{
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;

    /// <summary>It failed as a command should: with this code, one line on the standard error, nothing on the standard output.</summary>
    public string ShouldFail(int exitCode)
    {
        ExitCode.ShouldBe(exitCode, Error);
        Output.ShouldBeEmpty();
        Error.Trim().Split('\n').Length.ShouldBe(1, Error);
        Error.ShouldStartWith("proxygateway: ");
        return Error;
    }

    public Ended ShouldSucceed()
    {
        ExitCode.ShouldBe(0, Error);
        return this;
    }
}

/// <summary>A program that serves, and what it prints.</summary>
internal sealed class RunningProgram : IAsyncDisposable
{
    private readonly Process _process;
    private readonly List<string> _lines = [];

    public RunningProgram(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Add(line.Data);
        process.ErrorDataReceived += (_, line) => Add(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>What comes after the sign in the last line that has it, once there is one.</summary>
    public async Task<string> PrintsAsync(string sign)
    {
        string? found = null;
        await Eventually.HoldsAsync(() => Task.FromResult((found = After(sign)) is not null || _process.HasExited), $"prints '{sign}'");
        return found ?? After(sign) ?? throw new InvalidOperationException(string.Join('\n', Lines()));
    }

    public int ProcessId => _process.Id;

    /// <summary>Asks it to end (SIGTERM).</summary>
    public async Task TerminateAsync()
    {
        using Process kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
        await kill.WaitForExitAsync();
        kill.ExitCode.ShouldBe(0);
    }

    /// <summary>Waits for its end; its exit code.</summary>
    public async Task<int> EndsAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Eventually.Patience);
        return _process.ExitCode;
    }

    /// <summary>Kills it (SIGKILL).</summary>
    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private string? After(string sign) =>
        Lines().LastOrDefault(l => l.Contains(sign)) is { } line ? line[(line.IndexOf(sign, StringComparison.Ordinal) + sign.Length)..].Trim() : null;

    /// <summary>Everything that it has printed.</summary>
    public string[] Lines()
    {
        lock (_lines)
            return [.. _lines];
    }

    private void Add(string? line)
    {
        if (line is null)
            return;
        lock (_lines)
            _lines.Add(line);
    }
}
