using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Gate;
using Xunit.Abstractions;

namespace ProxyGateway.IntegrationTests.Registry;

/// <summary>The program with its registry in a file, when it is killed, when the disk is full, and when it may not write.</summary>
public sealed class SqliteProcessTests(ITestOutputHelper output) : IAsyncLifetime
{
    // Files may have one MiB, and what is written beyond is an error, as on a full disk. The runtime wants larger files to protect its code with.
    private const string OnASmallDisk = "trap '' XFSZ; ulimit -S -f 1024; DOTNET_EnableWriteXorExecute=0 exec \"$@\"";

    private readonly ProgramUnderTest _program = new();
    private readonly ConcurrentDictionary<TestDevice, bool> _paired = [];
    private readonly ConcurrentDictionary<TestDevice, bool> _removed = [];
    private RunningProgram _agent = null!;
    private RunningProgram? _gateway;
    private int _port;

    private HttpClient Admin { get; set; } = null!;

    private string RegistryPath => Path.Combine(_program.Folder, "data", "registry.db");

    public async Task InitializeAsync()
    {
        _agent = await _program.StartAgentAsync();
    }

    public async Task DisposeAsync()
    {
        await StopAsync();
        await _agent.DisposeAsync();
        _program.Delete();
    }

    [Fact]
    public async Task A_kill_in_the_middle_of_writes_loses_nothing_acknowledged()
    {
        for (int round = 1; round <= 3; round++)
        {
            await StartAsync();
            int before = _paired.Count;
            bool killed = false;
            Task[] writers = [.. Enumerable.Range(0, 8).Select(i => Task.Run(async () =>
            {
                try
                {
                    for (int n = 0; ; n++)
                    {
                        TestDevice device = await PairAsync() ?? throw new InvalidOperationException("A device was refused.");
                        if (n % 3 == i % 3)
                            await RemoveAsync(device);
                    }
                }
                catch (Exception) when (Volatile.Read(ref killed))
                {
                    // whatever it was told, it was no acknowledgement
                }
            }))];
            await Task.WhenAny(Eventually.HoldsAsync(() => Task.FromResult(_paired.Count > before + 40), "devices are paired"), Task.WhenAny(writers));

            Volatile.Write(ref killed, true);
            await StopAsync();
            await Task.WhenAll(writers).WaitAsync(Eventually.Patience);
        }

        await StartAsync();
        foreach (TestDevice device in _paired.Keys)
        {
            if (!_removed.TryGetValue(device, out bool acknowledged))
                (await FindAsync(device)).ShouldBe(HttpStatusCode.OK);
            else if (acknowledged)
                (await FindAsync(device)).ShouldBe(HttpStatusCode.NotFound);
        }

        output.WriteLine($"{_paired.Count} pairings and {_removed.Values.Count(acknowledged => acknowledged)} removals were acknowledged; none is lost.");
        ShouldBeSound();
    }

    [Fact]
    public async Task A_full_disk_pairs_nobody_and_loses_nothing_until_there_is_space_again()
    {
        if (OperatingSystem.IsWindows())
            return;
        await StartAsync(OnASmallDisk);
        int refused = 0;
        while (refused < 3) // in a row: once the log is full, what it holds may be moved to the file, and there is room for a little more
            refused = await PairAsync() is null ? refused + 1 : 0;

        TestDevice paired = _paired.Keys.First();
        (await TestClient.ConnectAsync(_port, paired)).ShouldBeAdmitted();
        HttpStatusCode removed = await RemoveStatusAsync(paired);
        if (removed == HttpStatusCode.NoContent)
            _paired.TryRemove(paired, out _);
        else
            removed.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await ListedAsync()).ShouldBe(_paired.Keys.Select(d => d.Id.ToString()), ignoreOrder: true, "nothing is half written");

        using (Process prlimit = Process.Start("prlimit", [$"--pid={_gateway!.ProcessId}", "--fsize=unlimited"]))
            await prlimit.WaitForExitAsync();
        (await PairAsync()).ShouldNotBeNull("there is room again");
        TestDevice last = _paired.Keys.First();
        (await RemoveStatusAsync(last)).ShouldBe(HttpStatusCode.NoContent);
        _paired.TryRemove(last, out _);

        output.WriteLine($"{_paired.Count} devices were paired before the disk was full and after.");
        await StopAsync();
        await StartAsync();
        (await ListedAsync()).ShouldBe(_paired.Keys.Select(d => d.Id.ToString()), ignoreOrder: true);
        ShouldBeSound();
    }

    [Fact]
    public async Task A_read_only_file_is_refused()
    {
        if (OperatingSystem.IsWindows())
            return;
        await StartAsync();
        await PairAsync();
        await StopAsync();
        File.SetUnixFileMode(RegistryPath, UnixFileMode.UserRead);

        // Root may write whatever the mode says, unless it is denied that.
        Ended ended = await _program.RunInShellAsync(Environment.IsPrivilegedProcess ? "exec setpriv --bounding-set=-dac_override \"$@\"" : "exec \"$@\"");

        ended.ExitCode.ShouldBe(1);
        ended.Error.ShouldContain(RegistryPath);
        ended.Error.Trim().Split('\n').Length.ShouldBe(1, ended.Error);
    }

    private async Task StartAsync(string? shell = null)
    {
        _gateway = shell is null ? _program.StartServer("proxygateway.dll") : _program.StartServerInShell(shell, "proxygateway.dll");
        await _gateway.PrintsAsync("Application started");
        _port = new Uri(await _gateway.PrintsAsync("Now listening on:")).Port;
        Admin = new HttpClient { BaseAddress = new Uri(await _gateway.PrintsAsync("Operators are served on")) };
        Admin.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", (await File.ReadAllTextAsync(_program.KeyFile)).Trim());
    }

    private async Task StopAsync()
    {
        if (_gateway is not { } gateway)
            return;
        _gateway = null;
        Admin.Dispose();
        await gateway.DisposeAsync();
    }

    /// <summary>A new device connects from loopback, and so is paired; null if it is told that the registry is unavailable.</summary>
    private async Task<TestDevice?> PairAsync()
    {
        var device = new TestDevice();
        Outcome outcome = await TestClient.ConnectAsync(_port, device);
        await using FrameConnection client = outcome.Client;
        if (!outcome.IsAdmitted)
        {
            outcome.ShouldBeClosed(1013, "registry unavailable");
            return null;
        }

        _paired[device] = true;
        return device;
    }

    private async Task RemoveAsync(TestDevice device)
    {
        _removed[device] = false;
        (await RemoveStatusAsync(device)).ShouldBe(HttpStatusCode.NoContent);
        _removed[device] = true;
    }

    private async Task<HttpStatusCode> RemoveStatusAsync(TestDevice device) => (await Admin.DeleteAsync($"/admin/v1/devices/{device.Id}")).StatusCode;

    private async Task<HttpStatusCode> FindAsync(TestDevice device) => (await Admin.GetAsync($"/admin/v1/devices/{device.Id}")).StatusCode;

    private async Task<List<string>> ListedAsync()
    {
        var listed = new List<string>();
        for (string? query = "?limit=100"; query is not null;)
        {
            JsonElement page = JsonSerializer.Deserialize<JsonElement>(await Admin.GetStringAsync($"/admin/v1/devices{query}"));
            listed.AddRange(page.GetProperty("items").EnumerateArray().Select(d => d.GetProperty("id").GetString()!));
            query = page.GetProperty("next").GetString() is { } next ? $"?limit=100&cursor={Uri.EscapeDataString(next)}" : null;
        }

        return listed;
    }

    private void ShouldBeSound()
    {
        using var connection = new SqliteConnection($"Data Source={RegistryPath};Pooling=False");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = "SELECT (SELECT * FROM pragma_integrity_check), (SELECT count(*) FROM pragma_foreign_key_check)";
        using SqliteDataReader row = command.ExecuteReader();
        row.Read().ShouldBeTrue();
        (row.GetString(0), row.GetInt32(1)).ShouldBe(("ok", 0));
    }
}
