using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>How many strangers may be at the door at a time.</summary>
public sealed class BudgetTests : IDisposable
{
    private readonly SemaphoreSlim _heard = new(0);

    public void Dispose() => _heard.Dispose();

    [Fact]
    public async Task The_seventeenth_handshake_of_an_address_is_refused_unless_one_is_silent()
    {
        await using TestGateway gateway = await StartUnansweredAsync();
        var open = new List<Encounter>();
        for (int i = 0; i < 16; i++)
            open.Add(await Encounter.OpenAsync(gateway));
        open.Add(await Encounter.OpenAsync(gateway));
        await open[0].ShouldBeClosedAsync(1013, "try again later");
        open.RemoveAt(0);
        foreach (Encounter encounter in open)
            await SpeakAsync(encounter);

        string head = await ShouldBeOverAsync(gateway, gateway.Port, 429);
        head.ShouldContain("\r\nRetry-After: 1\r\n");
        gateway.Log.Of(1202).ShouldHaveSingleItem().ShouldContain("Address");

        // Another address has a budget of its own; a claim to be one does not.
        await using Encounter other = await Encounter.OpenAsync(gateway, gateway.RemotePort);
        await ShouldBeOverAsync(gateway, gateway.Port, 429, "X-Forwarded-For: 192.0.2.1");

        // An admitted session is no handshake any more.
        await open[0].Backend.SendTextAsync(Protocol.HelloOk("connect-1"));
        await open[0].ShouldBeAdmittedAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 16), "a place is given back");
        await using (Encounter last = await Encounter.OpenAsync(gateway))
        {
            await SpeakAsync(last);
            await ShouldBeOverAsync(gateway, gateway.Port, 429);
        }

        await Task.WhenAll(open.Select(e => e.DisposeAsync().AsTask()));
    }

    [Theory]
    [InlineData("HandshakesPerDestination", "Destination")]
    [InlineData("Handshakes", "All")]
    public async Task The_other_budgets_hold_for_all_addresses(string limit, string scope)
    {
        await using TestGateway gateway = await StartUnansweredAsync((limit, "2"));
        await using Encounter first = await Encounter.OpenAsync(gateway);
        await using Encounter second = await Encounter.OpenAsync(gateway, gateway.RemotePort);
        await SpeakAsync(first);
        await SpeakAsync(second);

        (await ShouldBeOverAsync(gateway, gateway.Port, 503)).ShouldContain("\r\nRetry-After: 1\r\n");
        await ShouldBeOverAsync(gateway, gateway.RemotePort, 503);
        gateway.Log.Of(1202).ShouldAllBe(l => l.Contains(scope, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_way_of_ending_frees_the_place_once()
    {
        // As many places as it takes for one: a place that is not given back ends the test.
        await using TestGateway gateway = await TestGateway.StartAsync(new()
        {
            ["DeviceAuth:Limits:HandshakesPerAddress"] = "1",
            ["DeviceAuth:HandshakeTimeout"] = "00:00:01",
        });
        var device = new TestDevice();
        foreach (Func<Task> ending in (Func<Task>[])
        [
            async () =>
            {
                await using Encounter admitted = await Encounter.AskAsync(gateway, device);
                await admitted.ShouldBeAdmittedAsync();
            },
            async () => await (await Encounter.AskAsync(gateway, device, new Ask { Nonce = "x" })).ShouldBeClosedAsync(1008, "device nonce mismatch"),
            async () => await (await Encounter.AskAsync(gateway, device, new Ask { Role = "node" })).ShouldRequirePairingAsync("role-upgrade"),
            async () => await (await Encounter.OpenAsync(gateway)).ShouldBeClosedAsync(1008, "handshake timeout"),
            async () => await (await Encounter.OpenAsync(gateway)).DisposeAsync(),
            async () => (await Encounter.OpenAsync(gateway)).Backend.Request!.Abort(),
            async () =>
            {
                Encounter closed = await Encounter.OpenAsync(gateway);
                await closed.Client.CloseAsync();
                await closed.Client.ReceiveCloseAsync();
            },
            async () =>
            {
                Encounter broken = await Encounter.OpenAsync(gateway);
                await broken.Client.SendRawAsync([0xFF, 0xFF]);
                await broken.ShouldBeClosedAsync(1002, "protocol error");
            },
            async () =>
            {
                gateway.Backend.Script = async backend =>
                {
                    await backend.SendTextAsync(Protocol.Challenge("a-nonce"));
                    await backend.ReceiveAsync();
                    await backend.SendTextAsync(Protocol.Refusal("connect-1"));
                };
                Outcome refused = await TestClient.ConnectAsync(gateway.Port, device);
                refused.IsAdmitted.ShouldBeFalse();
                await gateway.Backend.AcceptAsync();
            },
            async () =>
            {
                gateway.Backend.Script = backend => backend.ReceiveAsync();
                await using FrameConnection client = await TestClient.OpenAsync(gateway.Port);
                (await client.ReceiveCloseAsync()).CloseCode.ShouldBe(1011);
            },
            async () =>
            {
                gateway.Backend.Http = context => BackendTests.AnswerAsync(context, 401);
                (int status, _, Stream stream) = await TestClient.RequestAsync(gateway.Port);
                await stream.DisposeAsync();
                status.ShouldBe(502);
            },
            async () =>
            {
                await gateway.Backend.DisposeAsync();
                (int status, _, Stream stream) = await TestClient.RequestAsync(gateway.Port);
                await stream.DisposeAsync();
                status.ShouldBe(502);
            },
        ])
        {
            await ending();
            await Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 0), "the place is given back");
        }

        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Sessions.Count == 0), "no session is left");
        gateway.Budgets.InUse.ShouldBe(0);
        gateway.Log.Lines.ShouldNotContain(l => l.Text.Contains("Unhandled", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Everybody is approved, and the backend does not answer by itself, so that a handshake that has spoken goes on.</summary>
    private async Task<TestGateway> StartUnansweredAsync(params (string Limit, string Value)[] limits)
    {
        var settings = new Dictionary<string, string?>
        {
            ["DeviceAuth:Pairing:AutoApprove:any:From:0"] = "any",
            ["DeviceAuth:Pairing:AutoApprove:any:Reasons:0"] = "not-paired",
        };
        foreach ((string limit, string value) in limits)
            settings["DeviceAuth:Limits:" + limit] = value;
        TestGateway gateway = await TestGateway.StartAsync(settings);
        gateway.Backend.Script = async backend =>
        {
            await backend.SendTextAsync(Protocol.Challenge(new Ask().Nonce));
            while (await backend.ReceiveAsync() is { } frame)
            {
                if (frame.Opcode == Opcode.Text)
                    _heard.Release();
            }
        };
        return gateway;
    }

    private async Task SpeakAsync(Encounter encounter)
    {
        await encounter.Client.SendTextAsync(new Ask().SignedBy(new TestDevice()));
        (await _heard.WaitAsync(Eventually.Patience)).ShouldBeTrue("the backend has heard it");
    }

    private static async Task<string> ShouldBeOverAsync(TestGateway gateway, int port, int expected, params string[] headers)
    {
        (int status, string head, Stream stream) = await TestClient.RequestAsync(port, headers: headers);
        await stream.DisposeAsync();
        status.ShouldBe(expected, head);
        head.ShouldContain("\r\nContent-Type: application/problem+json\r\n");
        gateway.Budgets.InUse.ShouldBeGreaterThan(0);
        return head;
    }
}
