using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.IntegrationTests.Prometheus;

/// <summary>A real Prometheus with the shipped alert rules. An hour goes by in two minutes: each minute in a rule takes <see cref="Minute"/>.</summary>
internal sealed partial class RunningPrometheus : IAsyncDisposable
{
    public const int Minute = 2; // seconds

    private readonly DirectoryInfo _folder;
    private readonly RunningProgram _process;
    private readonly HttpClient _http;

    private RunningPrometheus(DirectoryInfo folder, RunningProgram process, HttpClient http) => (_folder, _process, _http) = (folder, process, http);

    /// <summary>The program; null if there is none on this machine.</summary>
    public static string? Path { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => System.IO.Path.Combine(folder, "prometheus")).FirstOrDefault(File.Exists);

    /// <summary>Starts one that scrapes these operators' listeners each second.</summary>
    public static async Task<RunningPrometheus> StartAsync(string rules, params string[] targets)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("proxygateway-prometheus-");
        await File.WriteAllTextAsync(System.IO.Path.Combine(folder.FullName, "rules.yml"), InFastMotion(rules));
        await File.WriteAllTextAsync(System.IO.Path.Combine(folder.FullName, "prometheus.yml"), $"""
            global: {"{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }"}
            rule_files: [rules.yml]
            scrape_configs:
              - job_name: proxygateway
                static_configs:
                  - targets: [{string.Join(", ", targets.Select(target => new Uri(target).Authority))}]
            """);
        string address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{ServerPorts.Take()}");
        var start = new ProcessStartInfo(Path!,
        [
            $"--config.file={folder.FullName}/prometheus.yml", $"--storage.tsdb.path={folder.FullName}/data", $"--web.listen-address={address}", "--log.level=warn",
        ])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var prometheus = new RunningPrometheus(folder, new RunningProgram(Process.Start(start)!), new HttpClient { BaseAddress = new Uri($"http://{address}") });
        await Eventually.HoldsAsync(prometheus.IsReadyAsync, "Prometheus is ready");
        return prometheus;
    }

    /// <summary>The rules with each minute of theirs as long as <see cref="Minute"/>.</summary>
    public static string InFastMotion(string text) =>
        Minutes().Replace(text, match => $"{int.Parse(match.Groups["minutes"].ValueSpan, CultureInfo.InvariantCulture) * Minute}s").Replace("* 60", $"* {Minute}", StringComparison.Ordinal);

    /// <summary>The series that an expression gives now, each with its labels and its value.</summary>
    public async Task<JsonElement[]> QueryAsync(string expression)
    {
        using HttpResponseMessage answer = await _http.PostAsync("/api/v1/query", new FormUrlEncodedContent([new("query", expression)]));
        JsonElement body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
        body.GetProperty("status").GetString().ShouldBe("success", $"{expression}: {body}");
        JsonElement data = body.GetProperty("data");
        return data.GetProperty("resultType").GetString() == "vector" ? [.. data.GetProperty("result").EnumerateArray()] : [data.GetProperty("result")];
    }

    /// <summary>The alerts that fire, or that have fired at any time: each alert's name and its gateway, as in <c>ProxyGatewayFlooded 127.0.0.1:9090</c>.</summary>
    public async Task<string[]> FiringAsync(bool ever = false)
    {
        JsonElement[] alerts = await QueryAsync(ever ? "max_over_time(ALERTS{alertstate=\"firing\"}[1h])" : "ALERTS{alertstate=\"firing\"}");
        return [.. alerts.Select(alert => alert.GetProperty("metric")).Select(labels => $"{Label(labels, "alertname")} {Label(labels, "instance")}".TrimEnd()).Distinct().Order(StringComparer.Ordinal)];
    }

    /// <summary>Waits until these alerts fire, and no other.</summary>
    public async Task FiresAsync(params string[] alerts)
    {
        string[] firing = [];
        try
        {
            await Eventually.HoldsAsync(
                async () => (firing = await FiringAsync()).SequenceEqual(alerts.Order(StringComparer.Ordinal)), "alerts", TimeSpan.FromMinutes(2));
        }
        catch (TimeoutException)
        {
            firing.ShouldBe([.. alerts.Order(StringComparer.Ordinal)]);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _process.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private static string Label(JsonElement labels, string name) => labels.TryGetProperty(name, out JsonElement value) ? value.GetString()! : "";

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            using HttpResponseMessage answer = await _http.GetAsync("/-/ready");
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    [GeneratedRegex(@"\b(?<minutes>[0-9]+)m\b", RegexOptions.NonBacktracking)]
    private static partial Regex Minutes();
}
