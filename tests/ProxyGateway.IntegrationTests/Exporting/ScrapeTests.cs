using System.Net;
using System.Security.Cryptography;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Exporting;

/// <summary>Who may scrape, and that no stranger makes series.</summary>
public sealed class ScrapeTests : IAsyncLifetime
{
    private const string Mark = "zq7";

    private readonly ProgramUnderTest _program = new();
    private RunningProgram _agent = null!;

    public async Task InitializeAsync() => _agent = await _program.StartAgentAsync();

    public async Task DisposeAsync()
    {
        await _agent.DisposeAsync();
        _program.Delete();
    }

    [Fact]
    public async Task Unless_it_is_configured_there_is_nothing_to_scrape()
    {
        await using RunningProgram gateway = _program.StartServer("proxygateway.dll");
        using var http = new HttpClient { BaseAddress = new Uri(await gateway.PrintsAsync("Operators are served on")) };
        await gateway.PrintsAsync("Application started");
        http.DefaultRequestHeaders.Authorization = new("Bearer", (await File.ReadAllTextAsync(_program.KeyFile)).Trim());

        (await http.GetAsync("/metrics")).StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_flood_of_made_up_names_makes_no_series()
    {
        await using RunningProgram gateway = _program.StartServer(
            "proxygateway.dll",
            "--Telemetry:Prometheus=Open",
            "--DeviceAuth:Limits:HandshakesPerSecondPerAddress=1000000",
            "--DeviceAuth:Limits:FailuresPerAddress=1000000",
            "--ReverseProxy:Routes:proof:ClusterId=agent",
            "--ReverseProxy:Routes:proof:Match:Path=/proof/{**path}",
            "--ReverseProxy:Routes:proof:Order=-1",
            "--ReverseProxy:Routes:proof:Metadata:DeviceAuth=Proof");
        await gateway.PrintsAsync("Application started");
        int port = new Uri(await gateway.PrintsAsync("Now listening on:")).Port;
        var operators = new Uri(await gateway.PrintsAsync("Operators are served on"));
        using var http = new HttpClient { BaseAddress = operators };

        await FloodAsync(port, operators.Port);
        string[] before = await SeriesAsync(http);
        await FloodAsync(port, operators.Port);
        string[] after = await SeriesAsync(http);

        before.Length.ShouldBeGreaterThan(100);
        after.Where(line => line.Contains(Mark, StringComparison.OrdinalIgnoreCase)).ShouldBeEmpty();
        string[] added = [.. after.Except(before).Where(line => !line.Contains("_bucket{", StringComparison.Ordinal))];
        added.Length.ShouldBeLessThan(10, string.Join('\n', added)); // outcomes that had not come up before; each value of the flood is another
    }

    private static async Task<string[]> SeriesAsync(HttpClient http)
    {
        string text = await http.GetStringAsync("/metrics");
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != '#').Select(line => line[..line.LastIndexOf(' ')]).Order(StringComparer.Ordinal)];
    }

    private static async Task FloodAsync(int port, int operators)
    {
        for (int i = 0; i < 25; i++)
        {
            string random = Mark + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));
            Outcome outcome = await TestClient.ConnectAsync(
                port,
                new TestDevice(),
                new Ask { Role = random, Scopes = [random + ".read"], ClientId = random, ClientMode = random, Platform = random, DisplayName = random },
                headers: [$"User-Agent: {random}", $"traceparent: 00-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16))}-00f067aa0ba902b7-01", $"tracestate: a={random}"]);
            await outcome.Client.DisposeAsync();
            await RequestAsync(port, $"GET /{random}?x={random} HTTP/1.1", random);
            await RequestAsync(port, $"{random.ToUpperInvariant()} /proof/{random} HTTP/1.1", random);
            await RequestAsync(port, $"GET /proof/{random} HTTP/1.1", random, $"Device-Proof: {random}");
            if (i >= 3)
                continue; // each answer without a key is held back longer than the one before
            await RequestAsync(operators, $"GET /admin/v1/devices/{random} HTTP/1.1", random);
            await RequestAsync(operators, $"{random.ToUpperInvariant()} /{random} HTTP/1.1", random);
        }
    }

    private static async Task RequestAsync(int port, string line, string agent, params string[] headers)
    {
        (_, _, Stream stream) = await TestClient.RequestAsync(
            port, host: $"127.0.0.1:{port}", headers: ["Connection: close", "Upgrade:", "Sec-WebSocket-Version:", "Sec-WebSocket-Key:", $"User-Agent: {agent}", .. headers], requestLine: line);
        await stream.DisposeAsync();
    }
}
