using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.IntegrationTests.CommandLine;
using ProxyGateway.IntegrationTests.Proof;

namespace ProxyGateway.IntegrationTests.Clients;

/// <summary>A forwarder from its first request to the device's removal, and over restarts of the gateway.</summary>
[SupportedOSPlatform("linux")]
public sealed class ForwardLifeTests : IAsyncLifetime, IDisposable
{
    private readonly CancellationTokenSource _patience = new(Eventually.Patience);
    private ProofSetting _gate = null!;

    public async Task InitializeAsync() => _gate = await ProofSetting.StartAsync();

    public async Task DisposeAsync() => await _gate.DisposeAsync();

    public void Dispose() => _patience.Dispose();

    [Fact]
    public async Task While_an_operator_decides_requests_get_503_and_an_approval_is_enough()
    {
        await using ForwardProgram forward = await ForwardProgram.StartAsync(_gate.Address);
        using HttpClient client = forward.Client();
        string request = (await forward.AsksAsync()).ToString();
        (await forward.SaysAsync("fingerprint: ")).ShouldMatch("^[0-9a-f]{4}(-[0-9a-f]{4}){4}\\)$");

        using (HttpResponseMessage refused = await client.PostAsync("/work", new StringContent("body"), _patience.Token))
        {
            JsonNode problem = await ProofSetting.ProblemOf(refused, HttpStatusCode.ServiceUnavailable, "pairing_required");
            ((string?)problem["requestId"], (bool?)problem["retryable"]).ShouldBe((request, true));
            ((string?)problem["detail"]).ShouldNotBeNull().ShouldContain("proxygateway requests approve " + request);
            refused.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(5));
        }

        _gate.State.Requests.ShouldBe(0);
        await _gate.ApproveAsync(RequestId.Parse(request));

        (await client.GetStringAsync("/work", _patience.Token)).ShouldBe("done");
        await forward.SaysAsync("lets this device in");
    }

    [Fact]
    public async Task A_removal_ends_what_is_under_way_and_the_next_approval_brings_it_back()
    {
        await using ForwardProgram forward = await ForwardProgram.StartPairedAsync(_gate, _gate.Address);
        RequestId first = await forward.AsksAsync();
        using HttpClient client = forward.Client();
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new UriBuilder(forward.Address) { Scheme = "ws", Path = "/socket" }.Uri, _patience.Token);
        using HttpResponseMessage events = await client.GetAsync("/stream", HttpCompletionOption.ResponseHeadersRead, _patience.Token);
        using Stream stream = await events.Content.ReadAsStreamAsync();
        byte[] buffer = new byte[64];
        (await stream.ReadAsync(buffer, _patience.Token)).ShouldBeGreaterThan(0);

        await _gate.RemoveAsync(_gate.Connections.List()[0].Device!.Value);

        await Should.ThrowAsync<IOException>(async () =>
        {
            while (await stream.ReadAsync(buffer, _patience.Token) > 0)
                buffer.AsSpan().Clear();
        });
        (await socket.ReceiveTextAsync(_patience.Token)).ShouldBeNull();
        ((int?)socket.CloseStatus, socket.CloseStatusDescription).ShouldBe((1008, "device removed"));
        RequestId again = await forward.AsksAsync(after: first);
        using (HttpResponseMessage refused = await client.GetAsync("/work", _patience.Token))
            refused.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);

        await _gate.ApproveAsync(again);

        (await client.GetStringAsync("/work", _patience.Token)).ShouldBe("done");
    }

    [Fact]
    public async Task A_block_is_said_and_passed_on()
    {
        await using ForwardProgram forward = await ForwardProgram.StartPairedAsync(_gate, _gate.Address);
        using HttpClient client = forward.Client();
        using HttpResponseMessage events = await client.GetAsync("/stream", HttpCompletionOption.ResponseHeadersRead, _patience.Token);

        await _gate.BlockAsync(_gate.Connections.List()[0].Device!.Value);

        (await forward.SaysAsync("The device is blocked.")).ShouldContain("Ask them");
        using HttpResponseMessage refused = await client.GetAsync("/work", _patience.Token);
        await ProofSetting.ProblemOf(refused, HttpStatusCode.Forbidden, "device_blocked");
    }

    [Fact]
    public async Task It_survives_a_restart_of_the_gateway()
    {
        await using ForwardProgram forward = await ForwardProgram.StartPairedAsync(_gate, _gate.Address);
        using HttpClient client = forward.Client();
        (await client.GetStringAsync("/work", _patience.Token)).ShouldBe("done");
        (InMemoryDeviceStore store, int port) = (_gate.Store, _gate.Address.Port);

        await _gate.DisposeAsync();
        using (HttpResponseMessage refused = await client.GetAsync("/work", _patience.Token))
        {
            await ProofSetting.ProblemOf(refused, HttpStatusCode.ServiceUnavailable, "forward_unreachable");
            refused.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(1));
        }

        await forward.SaysAsync("the gateway cannot be reached");
        _gate = await ProofSetting.StartAsync(store: store, port: port);

        (await client.GetStringAsync("/work", _patience.Token)).ShouldBe("done");
        using HttpResponseMessage streamed = await client.PostAsync("/upload", new StreamContent(new MemoryStream(new byte[100_000])), _patience.Token);
        streamed.StatusCode.ShouldBe(HttpStatusCode.OK);
        await Eventually.HoldsAsync(() => Task.FromResult(forward.Running.Lines()[^1].EndsWith("lets this device in", StringComparison.Ordinal)), "says that it is back");
    }

    [Fact]
    public async Task Several_agents_are_forwarded_to_by_one_process()
    {
        await using ProofSetting other = await ProofSetting.StartAsync();
        await using ForwardProgram forward = await ForwardProgram.StartAsync(_gate.Address, other.Address.ToString(), "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0");
        await Eventually.HoldsAsync(() => Task.FromResult(forward.Running.Lines().Count(line => line.Contains("requests approve", StringComparison.Ordinal)) == 2), "both ask");
        string[] lines = forward.Running.Lines();
        foreach (ProofSetting gate in (ProofSetting[])[_gate, other])
        {
            string asked = lines.Single(line => line.Contains($"-> {gate.Address}", StringComparison.Ordinal));
            await gate.ApproveAsync(RequestId.Parse(asked.Split("requests approve ")[1].Split(' ')[0]));
            using var client = new HttpClient { BaseAddress = new Uri(asked.Split(' ')[0]) };
            (await client.GetStringAsync("/work", _patience.Token)).ShouldBe("done");
            gate.State.Requests.ShouldBeGreaterThan(0);
        }
    }

    [Fact]
    public async Task The_proxy_of_the_environment_is_used_except_where_that_says_not_to()
    {
        using var proxy = new TcpListener(IPAddress.Loopback, 0);
        proxy.Start();
        string environment = $"HTTPS_PROXY=http://{proxy.LocalEndpoint} NO_PROXY=direct.invalid ";
        var program = new ProgramUnderTest();
        try
        {
            await using RunningProgram forward = program.StartServerInShell(
                environment + "exec \"$@\"", "proxygateway.dll", "forward", "https://gate.invalid/", "https://direct.invalid/", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0");
            using TcpClient asked = await proxy.AcceptTcpClientAsync(_patience.Token);
            using var reader = new StreamReader(asked.GetStream());

            (await reader.ReadLineAsync(_patience.Token)).ShouldBe("CONNECT gate.invalid:443 HTTP/1.1");
            (await forward.PrintsAsync("-> https://direct.invalid/: ")).ShouldContain("cannot be reached");
            proxy.Pending().ShouldBeFalse();
        }
        finally
        {
            program.Delete();
        }
    }
}
