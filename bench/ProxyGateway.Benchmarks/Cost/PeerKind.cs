using System.Globalization;
using System.Text.Json.Nodes;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>What can be compared, and how one of it is started.</summary>
/// <param name="Name">Its name on the command line.</param>
/// <param name="Title">Its name in the table.</param>
/// <param name="IsCompiledAsItRuns">Whether it has to be warmed up first.</param>
/// <param name="StartAsync">Starts one before the agent. What asks a registry has a Redis of its own.</param>
internal sealed record PeerKind(string Name, string Title, bool IsCompiledAsItRuns, Func<RunningAgent, Task<Peer>> StartAsync)
{
    public const string Gate = "gate";

    /// <summary>The one that asks a program about each request.</summary>
    public const string Asking = "nginx-auth";

    /// <summary>The gate as a native program.</summary>
    public const string NativeGate = "native";

    private const string EarlierGate = "before";

    private const string Most = "100000";

    /// <summary>The names of those that export telemetry.</summary>
    public static readonly IReadOnlyList<string> Exporting = ["telemetry", "metrics", "traces"];

    /// <summary>Those that can be started here: the others' programs are not installed.</summary>
    public static IReadOnlyList<PeerKind> Available() =>
    [
        new(Gate, "gate", IsCompiledAsItRuns: true, static agent => StartGateAsync(Gate, RunningGateway.Program, agent)),
        new("yarp", "YARP", IsCompiledAsItRuns: true, StartYarpAsync),
        .. IsInstalled("nginx") ? [new PeerKind("nginx", "nginx", IsCompiledAsItRuns: false, StartNginxAsync)] : Array.Empty<PeerKind>(),
        .. IsInstalled("nginx") ? [new PeerKind(Asking, "nginx, auth_request, Redis", IsCompiledAsItRuns: false, StartAskingNginxAsync)] : Array.Empty<PeerKind>(),
        .. IsInstalled("haproxy") ? [new PeerKind("haproxy", "HAProxy", IsCompiledAsItRuns: false, StartHaproxyAsync)] : Array.Empty<PeerKind>(),
    ];

    /// <summary>Whether it refuses strangers.</summary>
    public bool IsGate => IsGateNamed(Name);

    /// <summary>Whether a peer of this name refuses strangers.</summary>
    public static bool IsGateNamed(string name) => name is Gate or NativeGate or EarlierGate || Exporting.Contains(name);

    /// <summary>Whether the path has such a program.</summary>
    public static bool IsInstalled(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));

    /// <summary>The native gate.</summary>
    /// <param name="program">Its file.</param>
    public static PeerKind Native(string program) =>
        new(NativeGate, "native gate", IsCompiledAsItRuns: false, agent => StartGateAsync(NativeGate, program, agent));

    /// <summary>The gate as another commit built it.</summary>
    /// <param name="program">Its <c>proxygateway.dll</c>.</param>
    /// <param name="hasProofs">Whether it is asked for proofs.</param>
    public static PeerKind Before(string program, bool hasProofs) =>
        new(EarlierGate, "gate before", IsCompiledAsItRuns: true, agent => StartGateAsync(EarlierGate, program, agent, settings: null, hasProofs));

    /// <summary>The gate that exports all by OTLP, as often as by default, and has <c>/metrics</c>; or a part of it, to tell what the parts cost.</summary>
    /// <param name="name">One of <see cref="Exporting"/>.</param>
    /// <param name="native">The file of the native program, if that is to run.</param>
    public static PeerKind Exports(string name, string? native) => new(name, $"gate with {name}", IsCompiledAsItRuns: native is null, async agent =>
    {
        string[] leftOut = name switch { "metrics" => ["TRACES", "LOGS"], "traces" => ["METRICS", "LOGS"], _ => [] };
        TelemetrySink sink = await TelemetrySink.StartAsync();
        var settings = new JsonObject
        {
            ["Telemetry"] = new JsonObject
            {
                ["Prometheus"] = leftOut.Contains("METRICS") ? "Off" : "Open",
                ["Otlp"] = new JsonObject { ["Endpoint"] = sink.Address, ["Protocol"] = "http/protobuf" },
            },
        };
        foreach (string signal in leftOut)
        {
            settings[$"OTEL_{signal}_EXPORTER"] = "none";
        }

        return await StartGateAsync(name, native ?? RunningGateway.Program, agent, settings, hasProofs: true, sink);
    });

    // Devices on loopback pair by themselves, as is the default. One address makes all the load, so the bounds for one address have to go.
    private static async Task<Peer> StartGateAsync(
        string name, string program, RunningAgent agent, JsonObject? settings = null, bool hasProofs = true, params IAsyncDisposable[] owned)
    {
        TemporaryRedis redis = await TemporaryRedis.StartAsync();
        settings ??= [];
        settings["Logging"] = new JsonObject { ["LogLevel"] = new JsonObject { ["Default"] = "Warning", ["Microsoft.Hosting.Lifetime"] = "Information" } };
        settings["Registry"] = new JsonObject { ["Provider"] = "Redis", ["Redis"] = new JsonObject { ["Configuration"] = redis.EndPoint } };
        settings["DeviceAuth"] = new JsonObject
        {
            ["Pairing"] = new JsonObject { ["AutoApprove"] = new JsonObject { ["loopback"] = new JsonObject { ["MaxDevicesPerHour"] = Most } } },
            ["Limits"] = new JsonObject
            {
                ["Handshakes"] = Most,
                ["HandshakesPerDestination"] = Most,
                ["HandshakesPerAddress"] = Most,
                ["HandshakesPerSecondPerAddress"] = Most,
                ["ConnectionsPerAddress"] = "1000000",
                ["FailuresPerAddress"] = "1000000",
                ["SessionsPerDevice"] = Most,
            },
        };
        RunningGateway gateway = await RunningGateway.StartBeforeAsync(program, agent.Address.ToString(), settings, hasProofs);
        return new Peer(name, gateway.Port, [gateway.ProcessId], [gateway, redis, .. owned]) { Registry = redis.ProcessId };
    }

    private static async Task<Peer> StartYarpAsync(RunningAgent agent)
    {
        ChildProcess yarp = await ChildProcess.StartAsync(
            AppContext.BaseDirectory, "PlainYarp.dll", "Application started", "--urls", "http://127.0.0.1:0", "--backend", agent.Address.ToString());
        return new Peer("yarp", new Uri(yarp.After("Now listening on:")).Port, [yarp.Id], yarp);
    }

    private static async Task<Peer> StartNginxAsync(RunningAgent agent)
    {
        var folder = new ConfigurationFolder();
        (ChildProcess nginx, int port, int[] workers) = await StartNginxAsync(folder, "nginx.conf", agent, auth: 0);
        return new Peer("nginx", port, workers, nginx, folder);
    }

    // It asks a program, which asks a Redis of its own. It verifies nothing.
    private static async Task<Peer> StartAskingNginxAsync(RunningAgent agent)
    {
        TemporaryRedis redis = await TemporaryRedis.StartAsync();
        ChildProcess auth = await ChildProcess.StartAsync(
            AppContext.BaseDirectory, "RedisAuth.dll", "Application started", "--urls", "http://127.0.0.1:0", "--redis", redis.EndPoint);
        var folder = new ConfigurationFolder();
        (ChildProcess nginx, int port, int[] workers) = await StartNginxAsync(folder, "nginx-auth.conf", agent, new Uri(auth.After("Now listening on:")).Port);
        return new Peer(Asking, port, [.. workers, auth.Id], nginx, auth, redis, folder) { Registry = redis.ProcessId };
    }

    private static async Task<(ChildProcess Nginx, int Port, int[] Workers)> StartNginxAsync(ConfigurationFolder folder, string template, RunningAgent agent, int auth)
    {
        (ChildProcess nginx, int port) = await ChildProcess.StartListenerAsync(
            folder.Path, "nginx", async port => ["-c", await folder.FillInAsync(template, port, agent.Address.Port, auth), "-e", "stderr"]);
        int[] workers;
        while ((workers = Children(nginx.Id)).Length < Environment.ProcessorCount)
        {
            await Task.Delay(10); // they start after it listens
        }

        return (nginx, port, workers);
    }

    private static async Task<Peer> StartHaproxyAsync(RunningAgent agent)
    {
        var folder = new ConfigurationFolder();
        (ChildProcess haproxy, int port) = await ChildProcess.StartListenerAsync(
            folder.Path, "haproxy", async port => ["-db", "-f", await folder.FillInAsync("haproxy.cfg", port, agent.Address.Port)]);
        return new Peer("haproxy", port, [haproxy.Id], haproxy, folder);
    }

    private static int[] Children(int id)
    {
        string[] children = File.ReadAllText($"/proc/{id}/task/{id}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return [.. children.Select(static c => int.Parse(c, CultureInfo.InvariantCulture))];
    }
}
