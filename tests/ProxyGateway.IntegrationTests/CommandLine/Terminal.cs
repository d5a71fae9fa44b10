using System.Diagnostics;
using System.Text;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>The program at a terminal: a pseudo-terminal of util-linux's <c>script</c>.</summary>
internal sealed class Terminal : IDisposable
{
    private readonly Process _script;
    private readonly StringBuilder _shown = new();
    private readonly Task _reading;

    private Terminal(Process script)
    {
        _script = script;
        _reading = Task.Run(async () =>
        {
            char[] buffer = new char[1024];
            int count;
            while ((count = await script.StandardOutput.ReadAsync(buffer)) > 0)
            {
                lock (_shown)
                    _shown.Append(buffer, 0, count);
            }
        });
    }

    /// <summary>Runs a command of the program; its words hold nothing that a shell would take for its own.</summary>
    public static Terminal Run(ProgramUnderTest program, string command)
    {
        string line = $"{BuiltProgram.Line} {command}";
        var start = new ProcessStartInfo("script", ["-qfec", line, "/dev/null"])
        {
            WorkingDirectory = program.Folder,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.Environment["TERM"] = "xterm";
        return new Terminal(Process.Start(start)!);
    }

    /// <summary>Waits until the terminal shows a text that it has not been asked for before, and whatever came before it.</summary>
    public Task ShowsAsync(string text) => Eventually.HoldsAsync(
        () =>
        {
            lock (_shown)
            {
                int at = _shown.ToString().IndexOf(text, StringComparison.Ordinal);
                if (at >= 0)
                    _shown.Remove(0, at + text.Length);
                return Task.FromResult(at >= 0);
            }
        },
        $"the terminal shows '{text}'");

    public void Type(string keys)
    {
        _script.StandardInput.Write(keys);
        _script.StandardInput.Flush();
    }

    /// <summary>Waits until the program has ended.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> EndsAsync()
    {
        await _script.WaitForExitAsync().WaitAsync(Eventually.Patience);
        await _reading;
        return _script.ExitCode;
    }

    public void Dispose()
    {
        if (!_script.HasExited)
            _script.Kill(entireProcessTree: true);
        _script.Dispose();
    }
}
