using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace ProxyGateway.Benchmarks;

/// <summary>A program that runs until it is no longer needed, and what it has said.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ConcurrentQueue<string> _said = new();
    private readonly Process _process;
    private readonly string _name;
    private readonly string _started;
    private readonly TaskCompletionSource _hasStarted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ChildProcess(string folder, string started, string program, string[] arguments)
    {
        (_started, _name) = (started, arguments is [string dll, ..] && program == "dotnet" ? Path.GetFileName(dll) : program);
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment.Remove(InlineSockets.Variable); // ours, and not for those whom we measure
        _process = Process.Start(start)!;
        _process.OutputDataReceived += Read;
        _process.ErrorDataReceived += Read;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    /// <summary>Starts one of the .NET programs beside this one.</summary>
    /// <param name="folder">Where it runs.</param>
    /// <param name="dll">Its file.</param>
    /// <param name="started">What it says once it has started.</param>
    /// <param name="arguments">Its command line.</param>
    public static async Task<ChildProcess> StartAsync(string folder, string dll, string started, params string[] arguments)
    {
        var child = new ChildProcess(folder, started, "dotnet", [Path.Combine(AppContext.BaseDirectory, dll), .. arguments]);
        await child.WaitAsync(child._hasStarted.Task);
        return child;
    }

    /// <summary>Starts a program that says nothing, and waits until it listens.</summary>
    /// <param name="folder">Where it runs.</param>
    /// <param name="port">The port of 127.0.0.1 that it listens on.</param>
    /// <param name="program">Its name.</param>
    /// <param name="arguments">Its command line.</param>
    public static async Task<ChildProcess> StartListenerAsync(string folder, int port, string program, params string[] arguments)
    {
        var child = new ChildProcess(folder, "", program, arguments);
        await child.WaitAsync(ListensAsync(port));
        return child;
    }

    /// <summary>What follows the words in the last line that has them.</summary>
    public string After(string words)
    {
        string line = _said.Last(l => l.Contains(words, StringComparison.Ordinal));
        return line[(line.IndexOf(words, StringComparison.Ordinal) + words.Length)..].Trim();
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static async Task ListensAsync(int port)
    {
        while (true)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(IPAddress.Loopback, port);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(50);
            }
        }
    }

    private async Task WaitAsync(Task start)
    {
        try
        {
            await start.WaitAsync(Patience);
        }
        catch (TimeoutException e)
        {
            await DisposeAsync();
            throw new InvalidOperationException($"{_name} did not start:\n{string.Join('\n', _said)}", e);
        }
    }

    private void Read(object? sender, DataReceivedEventArgs line)
    {
        _said.Enqueue(line.Data ?? "");
        if (line.Data?.Contains(_started, StringComparison.Ordinal) == true)
            _hasStarted.TrySetResult();
    }
}
