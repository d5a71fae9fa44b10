using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.Benchmarks;

/// <summary>A program that runs until it is no longer needed, and what it has said.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private const int MostPorts = 5;
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

    /// <summary>Starts one of the .NET programs beside this one, or a native one.</summary>
    /// <param name="folder">Where it runs.</param>
    /// <param name="file">Its file, an assembly or a native program.</param>
    /// <param name="started">What it says once it has started.</param>
    /// <param name="arguments">Its command line.</param>
    public static async Task<ChildProcess> StartAsync(string folder, string file, string started, params string[] arguments)
    {
        ChildProcess child = file.EndsWith(".dll", StringComparison.Ordinal)
            ? new ChildProcess(folder, started, "dotnet", [Path.Combine(AppContext.BaseDirectory, file), .. arguments])
            : new ChildProcess(folder, started, file, arguments);
        await child.WaitAsync(child._hasStarted.Task);
        return child;
    }

    /// <summary>Starts a program on a port of 127.0.0.1 and waits until it listens there. If somebody else does, another port is tried.</summary>
    /// <param name="folder">Where it runs.</param>
    /// <param name="program">Its name.</param>
    /// <param name="arguments">Its command line, for a port.</param>
    public static async Task<(ChildProcess Child, int Port)> StartListenerAsync(string folder, string program, Func<int, Task<string[]>> arguments)
    {
        for (int attempt = 1; ; attempt++)
        {
            int port = ServerPorts.Take();
            var child = new ChildProcess(folder, "", program, await arguments(port));
            try
            {
                await child.WaitAsync(ListensAsync(port));
                return (child, port);
            }
            catch (InvalidOperationException e) when (ServerPorts.IsTaken(e.Message) && attempt < MostPorts)
            {
                // Another process took the port since; this child has ended.
            }
        }
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

    /// <exception cref="InvalidOperationException">It ended, or was not there in time; and what it has said.</exception>
    private async Task WaitAsync(Task start)
    {
        Task ended = _process.WaitForExitAsync();
        Task first = await Task.WhenAny(start, ended, Task.Delay(Patience));
        if (first == start && !ended.IsCompleted)
            return;
        await DisposeAsync();
        throw new InvalidOperationException($"{_name} did not start:\n{string.Join('\n', _said)}");
    }

    private void Read(object? sender, DataReceivedEventArgs line)
    {
        _said.Enqueue(line.Data ?? "");
        if (line.Data?.Contains(_started, StringComparison.Ordinal) == true)
            _hasStarted.TrySetResult();
    }
}
