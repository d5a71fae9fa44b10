using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>Nobody reads what the program prints any more: a terminal that was stopped, a log collector that hangs.</summary>
public sealed class StalledOutputTests : IAsyncLifetime
{
    // Reads until the program has started, and keeps the pipe from then on without reading.
    private const string ReaderThatStops =
        """
        "$@" | { while IFS= read -r line; do printf '%s\n' "$line"; case "$line" in *"Application started"*) break;; esac; done; sleep 600; }
        """;

    private const int Requests = 500;

    private readonly ProgramUnderTest _program = new();
    private RunningProgram _agent = null!;

    public async Task InitializeAsync() => _agent = await _program.StartAgentAsync();

    public async Task DisposeAsync()
    {
        await _agent.DisposeAsync();
        _program.Delete();
    }

    [Fact]
    public async Task Devices_are_served_while_nobody_reads_the_log()
    {
        // More than ten lines a request, so that there are more than the console's queue takes, and the pipe.
        await using RunningProgram gateway = _program.StartServerInShell(ReaderThatStops, "proxygateway.dll", "--Logging:LogLevel:Microsoft.AspNetCore=Debug");
        await gateway.PrintsAsync("Application started");
        var url = new Uri(await gateway.PrintsAsync("Now listening on:"));
        var device = new TestDevice();
        await using FrameConnection open = await ConnectAsync(url, device);

        using var http = new HttpClient { Timeout = Eventually.Patience };
        for (int i = 0; i < Requests; i++)
        {
            using HttpResponseMessage refused = await http.GetAsync(url);
            ((int)refused.StatusCode).ShouldBe(403);
        }

        gateway.Lines().Length.ShouldBeLessThan(1000, "or it was read all the while");
        await open.SendTextAsync("""{"type":"req","id":"2","method":"still here?"}""");
        (await open.ReceiveAsync().WaitAsync(Eventually.Patience))!.Text.ShouldContain("still here?");
        await using FrameConnection again = await ConnectAsync(url, device);
    }

    private static async Task<FrameConnection> ConnectAsync(Uri url, TestDevice device)
    {
        FrameConnection client = await TestClient.OpenAsync(url.Port);
        string nonce = (await client.ReceiveJsonAsync().WaitAsync(Eventually.Patience)).GetProperty("payload").GetProperty("nonce").GetString()!;
        await client.SendTextAsync(new Ask { Nonce = nonce }.SignedBy(device));
        Outcome outcome = await TestClient.OutcomeAsync(client).WaitAsync(Eventually.Patience);
        outcome.ShouldBeAdmitted();
        return client;
    }
}
