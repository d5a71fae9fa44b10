using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Gate;
using ProxyGateway.IntegrationTests.Redis;
using ProxyGateway.IntegrationTests.Webhooks;

namespace ProxyGateway.IntegrationTests.Prometheus;

/// <summary>
/// The shipped alert rules and the shipped dashboard, with a real Prometheus, two gateways on one Redis, and an hour in fast motion in which much breaks.
/// </summary>
public sealed class PrometheusTests : IAsyncLifetime
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private const string Key = "operator-key-operator-key-operator-key";

    private readonly ProgramUnderTest _program = new();
    private readonly List<IAsyncDisposable> _started = [];
    private RedisServer _redis = null!;
    private WebhookReceiver _receiver = null!;
    private string _agent = null!;

    public async Task InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _receiver = await WebhookReceiver.StartAsync();
        RunningProgram agent = Keep(_program.StartServer("SampleAgent.dll", "--urls", "http://127.0.0.1:0"));
        _program.Configure(_agent = await agent.PrintsAsync("listens on"));
    }

    public async Task DisposeAsync()
    {
        foreach (IAsyncDisposable one in _started.AsEnumerable().Reverse())
            await one.DisposeAsync();
        await _receiver.DisposeAsync();
        await _redis.DisposeAsync();
        _program.Delete();
    }

    [PrometheusFact]
    public async Task Each_rule_fires_when_it_should_by_itself()
    {
        using Process promtool = Process.Start(new ProcessStartInfo("promtool", ["test", "rules", Shipped("prometheus/rules.test.yml")]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> error = promtool.StandardError.ReadToEndAsync();
        string output = await promtool.StandardOutput.ReadToEndAsync();
        await promtool.WaitForExitAsync();

        promtool.ExitCode.ShouldBe(0, output + await error);
        string[] names = [.. (await File.ReadAllLinesAsync(Shipped("prometheus/rules.yml"))).Where(line => line.Contains("- alert:")).Select(line => line.Split(':')[1].Trim())];
        string tests = await File.ReadAllTextAsync(Shipped("prometheus/rules.test.yml"));
        names.Where(name => !tests.Contains($"alertname: {name}\n        exp_alerts:", StringComparison.Ordinal)).ShouldBeEmpty("no test has them fire");
    }

    [Fact]
    public async Task The_Prometheus_operator_gets_the_same_rules()
    {
        string rules = await File.ReadAllTextAsync(Shipped("prometheus/rules.yml"));
        string[] resource = await File.ReadAllLinesAsync(Shipped("kubernetes/components/monitoring/prometheusrule.yaml"));

        string spec = string.Join('\n', resource.SkipWhile(line => line != "spec:").Skip(1).Select(line => line.Length == 0 ? line : line[2..])) + "\n";

        spec.ShouldBe(rules[rules.IndexOf("groups:", StringComparison.Ordinal)..]);
    }

    [PrometheusFact]
    public async Task Every_alert_that_should_fire_does_and_no_other_and_every_query_of_the_dashboard_has_data()
    {
        await _redis.ExecuteAsync("ACL", "SETUSER", "second", "on", ">second", "~*", "&*", "+@all");
        (RunningProgram process, ObservedGateway first) = await StartAsync("first", $"{_redis.EndPoint}");
        (_, ObservedGateway second) = await StartAsync("second", $"{_redis.EndPoint},user=second,password=second");
        await using RunningPrometheus prometheus = await RunningPrometheus.StartAsync(await File.ReadAllTextAsync(Shipped("prometheus/rules.yml")), first.Admin, second.Admin);

        // A calm while: devices come, are admitted and stay, and one waits for an operator.
        await first.ProveAsync();
        await second.ProveAsync();
        (TestDevice device, _) = await second.PairAsync();
        Outcome waits = await first.ConnectAsync(device, new Ask { Role = "node" });
        await Eventually.HoldsAsync(async () => (await prometheus.QueryAsync("proxygateway_handshakes_completed_total")).Length > 0, "scraped");
        await BusyUntilAsync(Task.Delay(TimeSpan.FromSeconds(6 * RunningPrometheus.Minute)), first, second);
        (await prometheus.FiringAsync()).ShouldBeEmpty();

        // The one that waits has waited for a quarter of an hour, and is let in.
        await BusyUntilAsync(prometheus.FiresAsync("ProxyGatewayRequestWaits"), first, second);
        await first.ApproveAsync(waits.RequestId);
        await prometheus.FiresAsync();

        // Strangers flood one gateway.
        await UntilAsync(prometheus.FiresAsync($"ProxyGatewayFlooded {first.Instance}"), TimeSpan.FromSeconds(0.02), [first.IntrudeAsync]);
        await prometheus.FiresAsync();

        // Somebody tries keys of operators.
        await UntilAsync(prometheus.FiresAsync($"ProxyGatewayOperatorKeyGuessed {second.Instance}"), TimeSpan.FromSeconds(0.5), [second.GuessAsync]);
        await prometheus.FiresAsync();

        // The webhook's receiver refuses.
        _receiver.Answer = context =>
        {
            context.Response.StatusCode = 410;
            return Task.CompletedTask;
        };
        Outcome asks = await first.ConnectAsync((await first.PairAsync()).Device, new Ask { Role = "node" });
        await prometheus.FiresAsync($"ProxyGatewayWebhookLost {first.Instance}");
        await first.ApproveAsync(asks.RequestId);
        await prometheus.FiresAsync();

        // Redis goes away, and comes back.
        await _redis.KillAsync();
        await BusyUntilAsync(
            prometheus.FiresAsync(
                $"ProxyGatewayAdmitsNobody {first.Instance}", $"ProxyGatewayAdmitsNobody {second.Instance}",
                $"ProxyGatewayFails {first.Instance}", $"ProxyGatewayFails {second.Instance}"),
            first, second);
        await _redis.RestartAsync();
        await _redis.ExecuteAsync("ACL", "SETUSER", "second", "on", ">second", "~*", "&*", "+@all");
        await BusyUntilAsync(prometheus.FiresAsync(), first, second);

        // A device is removed at one gateway while the other one's subscription is lost.
        (TestDevice removed, Outcome session) = await second.PairAsync();
        await _redis.ExecuteAsync("ACL", "SETUSER", "second", "resetchannels");
        await first.RemoveAsync(removed);
        await prometheus.FiresAsync($"ProxyGatewayAdmitsNobody {second.Instance}");
        await _redis.ExecuteAsync("ACL", "SETUSER", "second", "&*");
        (await session.Client.ReceiveCloseAsync()).CloseCode.ShouldBe(1008);
        await prometheus.FiresAsync();

        // A gateway ends.
        await process.TerminateAsync();
        await prometheus.FiresAsync($"ProxyGatewayDown {first.Instance}");

        (await prometheus.FiringAsync(ever: true)).ShouldBe(
        [
            $"ProxyGatewayAdmitsNobody {first.Instance}", $"ProxyGatewayAdmitsNobody {second.Instance}", $"ProxyGatewayDown {first.Instance}",
            $"ProxyGatewayFails {first.Instance}", $"ProxyGatewayFails {second.Instance}", $"ProxyGatewayFlooded {first.Instance}",
            $"ProxyGatewayOperatorKeyGuessed {second.Instance}", "ProxyGatewayRequestWaits", $"ProxyGatewayWebhookLost {first.Instance}",
        ], ignoreOrder: true);
        await DashboardHasDataAsync(prometheus);
    }

    private async Task<(RunningProgram Process, ObservedGateway Gateway)> StartAsync(string name, string redis)
    {
        string[] key = [$"--Admin:Keys:ops:Sha256={Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Key)))}", "--Admin:Keys:ops:Role=approver"];
        RunningProgram process = Keep(_program.StartServer(
            "proxygateway.dll",
            [
                "--Registry:Provider=Redis", $"--Registry:Redis:Configuration={redis}", "--Registry:StalenessLimit=00:00:05", "--Telemetry:Prometheus=Open",
                "--ReverseProxy:Routes:proof:ClusterId=agent", "--ReverseProxy:Routes:proof:Match:Path=/proof", "--ReverseProxy:Routes:proof:Metadata:DeviceAuth=Proof",
                $"--Admin:Webhooks:chat:Url={_receiver.Url}", $"--Admin:Webhooks:chat:Secret={Secret}", "--Admin:Webhooks:chat:Events:0=request-opened", .. key,
            ]));
        await process.PrintsAsync("Application started");
        return (process, new ObservedGateway(new Uri(await process.PrintsAsync("Now listening on:")), await process.PrintsAsync("Operators are served on"), Key));
    }

    private T Keep<T>(T started)
        where T : IAsyncDisposable
    {
        _started.Add(started);
        return started;
    }

    /// <summary>Devices come and go at each gateway until something has come to hold.</summary>
    private static Task BusyUntilAsync(Task holds, params ObservedGateway[] gateways) => UntilAsync(holds, TimeSpan.FromSeconds(0.4), gateways.Select<ObservedGateway, Func<Task>>(gateway => gateway.VisitAsync));

    /// <summary>Does these things again and again, each in a row of its own, until something has come to hold.</summary>
    private static async Task UntilAsync(Task holds, TimeSpan pace, IEnumerable<Func<Task>> things)
    {
        await Task.WhenAll(things.Select(async thing =>
        {
            while (!holds.IsCompleted)
            {
                await thing();
                await Task.WhenAny(holds, Task.Delay(pace));
            }
        }));
        await holds;
    }

    private static string Shipped(string file, [CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../../config", file));

    private static async Task DashboardHasDataAsync(RunningPrometheus prometheus)
    {
        JsonElement dashboard = JsonDocument.Parse(await File.ReadAllTextAsync(Shipped("grafana/dashboard.json"))).RootElement;
        string[] expressions =
        [
            .. dashboard.GetProperty("panels").EnumerateArray().Where(panel => panel.TryGetProperty("targets", out _))
                .SelectMany(panel => panel.GetProperty("targets").EnumerateArray()).Select(target => target.GetProperty("expr").GetString()!),
        ];
        expressions.Length.ShouldBeGreaterThan(20);
        List<string> empty = [];
        foreach (string expression in expressions)
        {
            string query = expression.Replace("$job", "proxygateway", StringComparison.Ordinal).Replace("$instance", ".*", StringComparison.Ordinal)
                .Replace("$__rate_interval", "1h", StringComparison.Ordinal);
            if ((await prometheus.QueryAsync(query)).Length == 0)
                empty.Add(query);
        }

        empty.ShouldBeEmpty();
    }
}
