using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;

namespace ProxyGateway.Benchmarks;

/// <summary>The program as a process, in a folder of its own, before an agent.</summary>
internal sealed class RunningGateway : IAsyncDisposable
{
    /// <summary>The program that was built with the benchmarks.</summary>
    public const string Program = "proxygateway.dll";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxygateway-bench-");
    private ChildProcess? _agent;
    private ChildProcess? _gateway;

    /// <summary>Where devices connect.</summary>
    public int Port => new Uri(Gateway.After("Now listening on:")).Port;

    public int ProcessId => Gateway.Id;

    private ChildProcess Gateway => _gateway ?? throw new InvalidOperationException("The gateway has not been started.");

    /// <summary>Before the sample agent, a process too. Clients are behind a trusted proxy, so that they may have any address.</summary>
    /// <param name="deviceAuth">The section <c>DeviceAuth</c>.</param>
    public static async Task<RunningGateway> StartAsync(JsonObject deviceAuth)
    {
        var running = new RunningGateway();
        running._agent = await ChildProcess.StartAsync(running._folder.FullName, "SampleAgent.dll", "listens on", "--urls", "http://127.0.0.1:0");
        deviceAuth["TrustedProxies"] = new JsonArray("127.0.0.1");
        await running.StartAsync(Program, running._agent.After("listens on"), new JsonObject { ["DeviceAuth"] = deviceAuth }, hasProofs: true);
        return running;
    }

    /// <summary>Before an agent that runs already.</summary>
    /// <param name="program">The program's file.</param>
    /// <param name="agent">The agent's address.</param>
    /// <param name="settings">The configuration, apart from addresses and routes.</param>
    /// <param name="hasProofs">Whether there is a route with proofs, which the first gateways do not know.</param>
    public static async Task<RunningGateway> StartBeforeAsync(string program, string agent, JsonObject settings, bool hasProofs = true)
    {
        var running = new RunningGateway();
        await running.StartAsync(program, agent, settings, hasProofs);
        return running;
    }

    /// <summary>The gateway's resident memory, in bytes.</summary>
    public async Task<long> ResidentBytesAsync()
    {
        string line = (await File.ReadAllLinesAsync($"/proc/{ProcessId}/status")).Single(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    /// <summary>How many files and sockets the gateway has open.</summary>
    public int Handles() => Directory.GetFileSystemEntries($"/proc/{ProcessId}/fd").Length;

    /// <summary>What the gateway has used of the processors.</summary>
    public TimeSpan ProcessorTime()
    {
        using var process = Process.GetProcessById(ProcessId);
        return process.TotalProcessorTime;
    }

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null)
            await _gateway.DisposeAsync();
        if (_agent is not null)
            await _agent.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static JsonObject ProofRoute() => new()
    {
        ["ClusterId"] = "agent",
        ["Match"] = new JsonObject { ["Path"] = "/proof/{**path}" },
        ["Metadata"] = new JsonObject { ["DeviceAuth"] = "Proof", ["DeviceAuth.SessionTokens"] = "Allow" },
    };

    private async Task StartAsync(string program, string agent, JsonObject settings, bool hasProofs)
    {
        settings["Urls"] = "http://127.0.0.1:0";
        settings["Admin"] = new JsonObject { ["Url"] = "http://127.0.0.1:0" };
        var routes = new JsonObject
        {
            ["agent"] = new JsonObject { ["ClusterId"] = "agent", ["Match"] = new JsonObject { ["Path"] = "/" } },
        };
        if (hasProofs)
            routes["proof"] = ProofRoute();
        settings["ReverseProxy"] = new JsonObject
        {
            ["Routes"] = routes,
            ["Clusters"] = new JsonObject
            {
                ["agent"] = new JsonObject { ["Destinations"] = new JsonObject { ["local"] = new JsonObject { ["Address"] = agent } } },
            },
        };
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "appsettings.json"), settings.ToJsonString());
        _gateway = await ChildProcess.StartAsync(_folder.FullName, program, "Application started");
    }
}
