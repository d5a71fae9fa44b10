using System.CommandLine;
using System.Runtime.InteropServices;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.Benchmarks.Cost;

/// <summary>
/// <c>bench/run cost</c>: what the gate costs, beside what plain YARP, nginx and HAProxy do that ask nobody who they are. All run before the same
/// agent and take turns, as the machine is not the same from one minute to the next.
/// </summary>
internal static class CostBenchmark
{
    private static readonly Workload[] Workloads =
    [
        new Handshakes("handshake", "a handshake, 32 at a time, µs"),
        new Relaying("small", "64 B there and back, 1 in flight on each of 64 connections, µs", count: 64, size: 64, inFlight: 1),
        new Relaying("pipelined", "64 B, 16 in flight on each of 64 connections, µs", count: 64, size: 64, inFlight: 16),
        new Relaying("large", "16 KiB, 4 in flight on each of 32 connections, µs", count: 32, size: 16384, inFlight: 4),
        new Relaying("crowd", "64 B, 8,000 connections opened and relaying at once, µs", count: 8000, size: 64, inFlight: 1, isCrowd: true),
        new Refusals("stranger", "a stranger refused, 32 at a time, µs"),
        new ProvenRequests("get-ed25519", "a GET of 1 KiB with a proof, Ed25519, µs", Credential.Ed25519),
        new ProvenRequests("get-es256", "a GET of 1 KiB with a proof, ES256, µs", Credential.Es256),
        new ProvenRequests("post-ed25519", "a POST of 1 KiB with a proof and an answer in 8 parts, Ed25519, µs", Credential.Ed25519, isStreamed: true),
        new ProvenRequests("post-es256", "a POST of 1 KiB with a proof and an answer in 8 parts, ES256, µs", Credential.Es256, isStreamed: true),
        new ProvenRequests("get-token", "a GET of 1 KiB with a session token, µs", Credential.Token),
        new ProvenRequests("post-token", "a POST of 1 KiB with a session token and an answer in 8 parts, µs", Credential.Token, isStreamed: true),
        new ProvenSockets("socket-ed25519", "a WebSocket opened with a proof, Ed25519, µs", Credential.Ed25519),
        new ProvenSockets("socket-es256", "a WebSocket opened with a proof, ES256, µs", Credential.Es256),
        new ProvenRequests("forged", "a GET with a forged proof, ES256, refused, µs", Credential.Forged),
        new Idling("idle", "an idle connection of 5,000, bytes", count: 5000),
    ];

    private static readonly Option<double> Seconds = new("--seconds") { Description = "Seconds that each measurement takes", DefaultValueFactory = _ => 4 };
    private static readonly Option<double> WarmUp = new("--warm-up") { Description = "Seconds of handshakes before, for .NET to compile: on two processors it is done after some 40", DefaultValueFactory = _ => 12 };
    private static readonly Option<int> Rounds = new("--rounds") { Description = "How often each peer has its turn; the median counts", DefaultValueFactory = _ => 3 };
    private static readonly Option<string[]> Rows = Choice("--rows", "What is measured", Workloads.Select(w => w.Name));
    private static readonly Option<string[]> Peers = Choice("--peers", "Who is compared", PeerKind.Available().Select(k => k.Name), [PeerKind.NativeGate, .. PeerKind.Exporting]);
    private static readonly Option<FileInfo?> Before = new("--before") { Description = "The proxygateway.dll that another commit built, to be compared too" };

    public static Command Command()
    {
        const string Description = "Processor time and memory of the gate, plain YARP, nginx and HAProxy, side by side";
        var command = new Command("cost", Description) { Seconds, WarmUp, Rounds, Rows, Peers, Before, NativeProgram.Option };
        command.SetAction((parsed, _) =>
        {
            Workload[] rows = [.. Workloads.Where(w => parsed.GetValue(Rows)!.Contains(w.Name))];
            string? native = parsed.GetValue(NativeProgram.Option) is { Exists: true } file && parsed.GetValue(Peers)!.Contains(PeerKind.NativeGate) ? file.FullName : null;
            PeerKind[] kinds =
            [
                .. PeerKind.Available().Where(k => parsed.GetValue(Peers)!.Contains(k.Name)),
                .. native is not null ? [PeerKind.Native(native)] : Array.Empty<PeerKind>(),
                .. PeerKind.Exporting.Where(name => parsed.GetValue(Peers)!.Contains(name)).Select(name => PeerKind.Exports(name, native)),
                .. parsed.GetValue(Before) is { } program ? [PeerKind.Before(program.FullName, rows.Any(r => r is ProvenWorkload))] : Array.Empty<PeerKind>(),
            ];
            return RunAsync(
                rows, kinds, parsed.GetValue(Rounds), TimeSpan.FromSeconds(parsed.GetValue(WarmUp)), TimeSpan.FromSeconds(parsed.GetValue(Seconds)));
        });
        return command;
    }

    private static async Task<int> RunAsync(Workload[] rows, PeerKind[] kinds, int rounds, TimeSpan warmUp, TimeSpan duration)
    {
        InlineSockets.Use();
        await using RunningAgent agent = await RunningAgent.StartAsync();
        var peers = new List<(PeerKind Kind, Peer Peer)>();
        try
        {
            foreach (PeerKind kind in kinds)
            {
                Peer peer = await kind.StartAsync(agent);
                peers.Add((kind, peer));
                if (kind.IsCompiledAsItRuns)
                    await HandshakeStorm.RunAsync(peer, areForged: false, warmUp);
                if (kind.IsGate && rows.Any(r => r is Refusals))
                    await HandshakeStorm.RunAsync(peer, areForged: true, warmUp);
                foreach (Workload row in rows.Where(r => r.NeedsWarmUp && r.Fits(kind)))
                    await row.MeasureAsync(peer, agent, warmUp / 3);
            }

            var table = new CostTable(rows, kinds);
            for (int round = 0; round < rounds; round++)
            {
                foreach (Workload row in rows)
                {
                    // Another one begins each time.
                    foreach ((PeerKind kind, Peer peer) in peers.Skip(round % peers.Count).Concat(peers.Take(round % peers.Count)))
                    {
                        if (!row.Fits(kind))
                            continue;
                        Measurement measured = await MeasureAsync(row, kind, peer, agent, duration);
                        Console.Error.WriteLine($"{round + 1}/{rounds} {row.Name}, {kind.Title}: {measured.Figure:N1}");
                        table.Add(row, kind, measured);
                    }
                }
            }

            string yarp = typeof(RouteConfig).Assembly.GetName().Version!.ToString(3);
            Console.WriteLine($".NET {Environment.Version}, YARP {yarp}, {RuntimeInformation.OSDescription}, {Environment.ProcessorCount} processors");
            Console.WriteLine($"Median of {rounds} (least–most):\n\n{table}");
        }
        finally
        {
            foreach ((_, Peer peer) in peers)
            {
                await peer.DisposeAsync();
            }
        }

        return 0;
    }

    private static async Task<Measurement> MeasureAsync(Workload row, PeerKind kind, Peer peer, RunningAgent agent, TimeSpan duration)
    {
        if (!row.NeedsFreshPeer)
            return await row.MeasureAsync(peer, agent, duration);
        await using Peer fresh = await kind.StartAsync(agent);
        return await row.MeasureAsync(fresh, agent, duration);
    }

    private static Option<string[]> Choice(string name, string description, IEnumerable<string> usual, params string[] others)
    {
        string[] values = [.. usual];
        var option = new Option<string[]>(name) { Description = description, AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => values };
        option.AcceptOnlyFromAmong([.. values, .. others]);
        return option;
    }
}
