using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.CommandLine;

/// <summary>One gateway with the sample agent behind it, as a process, for all tests of a class: each test has devices of its own.</summary>
public sealed class GatewayFixture : IAsyncLifetime
{
    private RunningProgram _agent = null!;
    private RunningProgram _gateway = null!;
    private Uri _url = null!;

    internal ProgramUnderTest Program { get; } = new();

    /// <summary>Where operators are served.</summary>
    public string Admin { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        _agent = await Program.StartAgentAsync();
        _gateway = Program.StartServer("proxygateway.dll");
        await _gateway.PrintsAsync("Application started");
        _url = new Uri(await _gateway.PrintsAsync("Now listening on:"));
        Admin = await _gateway.PrintsAsync("Operators are served on");
    }

    public async Task DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _agent.DisposeAsync();
        Program.Delete();
    }

    /// <summary>Runs a command of an operator.</summary>
    internal Task<Ended> OperateAsync(params string[] arguments) => Program.RunAsync([.. arguments, "--admin-url", Admin]);

    /// <summary>A device connects from this machine.</summary>
    internal async Task<Outcome> ConnectAsync(TestDevice device, Ask ask)
    {
        FrameConnection client = await TestClient.OpenAsync(_url.Port);
        string nonce = (await client.ReceiveJsonAsync()).GetProperty("payload").GetProperty("nonce").GetString()!;
        await client.SendTextAsync((ask with { Nonce = nonce }).SignedBy(device));
        return await TestClient.OutcomeAsync(client);
    }

    /// <summary>A new device is admitted, and stays connected.</summary>
    internal async Task<(TestDevice Device, Outcome Connection)> PairAsync()
    {
        var device = new TestDevice();
        Outcome outcome = await ConnectAsync(device, new Ask());
        outcome.ShouldBeAdmitted();
        return (device, outcome);
    }

    /// <summary>A device asks for what an operator has to approve. The request's id.</summary>
    internal async Task<string> AskAsync(TestDevice device, params string[] scopes)
    {
        Outcome outcome = await ConnectAsync(device, new Ask { Role = "node", Scopes = scopes });
        outcome.IsAdmitted.ShouldBeFalse();
        return outcome.RequestId;
    }
}
