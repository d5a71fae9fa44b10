using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Gate;

namespace ProxyGateway.IntegrationTests.Page;

/// <summary>The program with the sample agent behind it, and three operators.</summary>
internal sealed class ServingProgram : IAsyncDisposable
{
    public const string Approver = "approver-key-approver-key-approver-key";
    public const string Viewer = "viewer-key-viewer-key-viewer-key-viewer";
    public const string Limited = "limited-key-limited-key-limited-key-lim";

    private readonly string[] _settings;
    private RunningProgram _agent = null!;
    private RunningProgram? _gateway;
    private HttpClient _operator = null!;

    private ServingProgram(string[] settings) => _settings = settings;

    public ProgramUnderTest Program { get; } = new();

    /// <summary>Where operators are served.</summary>
    public Uri Admin { get; private set; } = null!;

    /// <summary>Where devices are served.</summary>
    public Uri Url { get; private set; } = null!;

    public static async Task<ServingProgram> StartAsync(params string[] settings)
    {
        var program = new ServingProgram(
        [
            .. Key("ops", Approver, "approver"), .. Key("eve", Viewer, "viewer"), .. Key("lim", Limited, "approver"),
            "--Admin:Keys:lim:UpTo:operator:0=operator.read",
            .. settings,
        ]);
        program._agent = await program.Program.StartAgentAsync();
        await program.StartGatewayAsync();
        return program;
    }

    /// <summary>Kills the gateway.</summary>
    public async Task StopGatewayAsync()
    {
        if (_gateway is not null)
            await _gateway.DisposeAsync();
        _gateway = null;
    }

    /// <summary>Starts the gateway, and again at the same address as before.</summary>
    public async Task StartGatewayAsync()
    {
        string[] address = Admin is null ? [] : [$"--Admin:Url={Admin}"];
        _gateway = Program.StartServer("proxygateway.dll", [.. _settings, .. address]);
        await _gateway.PrintsAsync("Application started");
        Url = new Uri(await _gateway.PrintsAsync("Now listening on:"));
        Admin = new Uri(await _gateway.PrintsAsync("Operators are served on"));
        _operator?.Dispose();
        _operator = new HttpClient { BaseAddress = Admin };
        _operator.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Approver);
    }

    /// <summary>A device connects.</summary>
    public async Task<Outcome> ConnectAsync(TestDevice device, Ask ask, bool isRemote = false)
    {
        FrameConnection client = await TestClient.OpenAsync(Url.Port, "/", isRemote ? "gate.example" : null);
        JsonElement challenge = await client.ReceiveJsonAsync();
        string nonce = challenge.GetProperty("payload").GetProperty("nonce").GetString()!;
        await client.SendTextAsync((ask with { Nonce = nonce }).SignedBy(device));
        return await TestClient.OutcomeAsync(client);
    }

    /// <summary>A new device is admitted as an operator of this machine.</summary>
    public async Task<TestDevice> PairAsync(Ask? ask = null)
    {
        var device = new TestDevice();
        Outcome outcome = await ConnectAsync(device, ask ?? new Ask());
        outcome.ShouldBeAdmitted();
        await outcome.Client.DisposeAsync();
        return device;
    }

    /// <summary>A device asks for what an operator has to approve. The request's id.</summary>
    public async Task<string> AskAsync(TestDevice device, Ask ask, bool isRemote = false)
    {
        Outcome outcome = await ConnectAsync(device, ask, isRemote);
        outcome.IsAdmitted.ShouldBeFalse();
        return outcome.RequestId;
    }

    /// <summary>What another operator does at the same time.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, object? body = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        if (body is not null)
            request.Content = JsonContent.Create(body);
        HttpResponseMessage response = await _operator.SendAsync(request);
        response.IsSuccessStatusCode.ShouldBeTrue(await response.Content.ReadAsStringAsync());
        return response;
    }

    public async ValueTask DisposeAsync()
    {
        _operator.Dispose();
        await StopGatewayAsync();
        await _agent.DisposeAsync();
        Program.Delete();
    }

    private static string[] Key(string name, string key, string role) =>
    [
        $"--Admin:Keys:{name}:Sha256={Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))}",
        $"--Admin:Keys:{name}:Role={role}",
    ];
}
