using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.Tests.Shared;

namespace ProxyGateway.IntegrationTests.Gate;

/// <summary>Strangers who come too fast, fail too often or say nothing, and devices that get in all the same.</summary>
public sealed class FloodTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly TestDevice _device = new();

    [Fact]
    public async Task An_address_that_connects_too_fast_gets_429_and_no_other_does()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(
            new() { ["DeviceAuth:Limits:HandshakesPerSecondPerAddress"] = "3", ["DeviceAuth:AllowedOrigins:0"] = "https://page.example" }, time: _time);
        for (int i = 0; i < 3; i++)
            await (await Encounter.OpenAsync(gateway, gateway.RemotePort)).DisposeAsync();

        (await StatusAsync(gateway.RemotePort)).ShouldBe(429);
        (await StatusAsync(gateway.Port)).ShouldBe(101, "loopback has a budget of its own");
        await (await gateway.Backend.AcceptAsync()).Completion;
        (await StatusAsync(gateway.RemotePort, "Origin: https://page.example")).ShouldBe(101, "a page counts apart");
        await (await gateway.Backend.AcceptAsync()).Completion;

        _time.Advance(TimeSpan.FromSeconds(1));
        (await StatusAsync(gateway.RemotePort)).ShouldBe(101);
    }

    [Fact]
    public async Task Pages_of_refused_origins_share_one_budget()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:Limits:HandshakesPerSecondPerAddress"] = "3" }, time: _time);

        int[] statuses = new int[6];
        for (int i = 0; i < statuses.Length; i++)
            statuses[i] = await StatusAsync(gateway.Port, $"Origin: https://evil{i}.example");

        statuses.ShouldBe([403, 403, 403, 429, 429, 429]);
        (await StatusAsync(gateway.Port)).ShouldBe(101, "programs on this machine are not shut out by a page");
    }

    [Fact]
    public async Task A_delayed_refusal_holds_no_backend_and_an_admitted_device_does_not_wait()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:Limits:FailuresPerAddress"] = "2" }, time: _time);
        var now = new Ask { SignedAt = _time.GetUtcNow() };
        for (int i = 0; i < 2; i++)
            await (await Encounter.AskAsync(gateway, _device, now with { Nonce = "x" })).ShouldBeClosedAsync(1008, "device nonce mismatch");

        Encounter third = await Encounter.AskAsync(gateway, _device, now with { Nonce = "x" });
        await third.BackendShouldHaveHeardNothingAsync();
        gateway.Budgets.InUse.ShouldBe(1, "it keeps its place");
        Task<Frame?> refusal = third.Client.ReceiveAsync();
        await using (Encounter paired = await Encounter.AskAsync(gateway, _device, now))
        {
            await paired.ShouldBeAdmittedAsync();
        }

        refusal.IsCompleted.ShouldBeFalse();
        await Eventually.HoldsAsync(
            () =>
            {
                _time.Advance(FailurePacer.ShortestDelay / 10);
                return Task.FromResult(refusal.IsCompleted);
            },
            "the refusal comes in the end");
        (await refusal)!.Json.GetProperty("ok").GetBoolean().ShouldBeFalse();
        (await third.Client.ReceiveCloseAsync()).CloseReason.ShouldBe("device nonce mismatch");
    }

    [Fact]
    public async Task A_refusal_that_waits_takes_no_place_at_its_destination()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(
            new() { ["DeviceAuth:Limits:FailuresPerAddress"] = "1", ["DeviceAuth:Limits:HandshakesPerDestination"] = "1" }, time: _time);
        var wrong = new Ask { SignedAt = _time.GetUtcNow(), Nonce = "x" };
        await (await Encounter.AskAsync(gateway, _device, wrong)).ShouldBeClosedAsync(1008, "device nonce mismatch");
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 0), "its place is free");
        Encounter waiting = await Encounter.AskAsync(gateway, _device, wrong);
        await waiting.BackendShouldHaveHeardNothingAsync();
        Task<Frame?> refusal = waiting.Client.ReceiveAsync();

        await using (Encounter newcomer = await Encounter.OpenAsync(gateway, gateway.RemotePort))
        {
            gateway.Budgets.InUse.ShouldBe(2);
            refusal.IsCompleted.ShouldBeFalse("it need not give way");
        }

        await waiting.DisposeAsync();
    }

    [Fact]
    public async Task A_client_that_leaves_while_its_refusal_waits_frees_its_place()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:Limits:FailuresPerAddress"] = "1" }, time: _time);
        var wrong = new Ask { SignedAt = _time.GetUtcNow(), Nonce = "x" };
        await (await Encounter.AskAsync(gateway, _device, wrong)).ShouldBeClosedAsync(1008, "device nonce mismatch");
        Encounter waiting = await Encounter.AskAsync(gateway, _device, wrong);
        await waiting.BackendShouldHaveHeardNothingAsync();

        await waiting.DisposeAsync();

        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 0), "its place is free");
    }

    [Fact]
    public async Task The_longest_silent_handshake_is_evicted_for_an_address_with_fewer()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:Limits:HandshakesPerDestination"] = "4" });
        Encounter first = await Encounter.OpenAsync(gateway, gateway.RemotePort);
        await using Encounter second = await Encounter.OpenAsync(gateway, gateway.RemotePort);
        await using Encounter third = await Encounter.OpenAsync(gateway, gateway.RemotePort);

        await using Encounter newcomer = await Encounter.AskAsync(gateway, _device);

        await newcomer.ShouldBeAdmittedAsync();
        await first.ShouldBeClosedAsync(1013, "try again later");
        gateway.Log.Of(1107).ShouldHaveSingleItem();
        await second.Client.SendTextAsync(new Ask().SignedBy(_device));
        await second.ShouldBeAdmittedAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_evicted_handshake_ends_at_once(bool isChallenged)
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new()
        {
            ["DeviceAuth:Limits:HandshakesPerDestination"] = "4",
            ["DeviceAuth:HandshakeTimeout"] = "00:05:00", // which is not what ends it
        });
        gateway.Backend.Script = isChallenged ? TestBackend.ChallengeAsync : backend => backend.Completion;
        var clients = new List<FrameConnection>();
        while (clients.Count < 4)
            clients.Add(await TestClient.OpenAsync(gateway.RemotePort));

        (await clients[0].ReceiveCloseAsync()).CloseReason.ShouldBe("try again later");

        FrameConnection first = await gateway.Backend.AcceptAsync();
        (await first.ReceiveToEndAsync()).ShouldBeEmpty("its connection to the backend is closed too");
        first.Complete();
        foreach (FrameConnection client in clients)
            await client.DisposeAsync();
        while (gateway.Backend.TryAccept() is { } backend)
            backend.Complete();
    }

    [Fact]
    public async Task Strangers_do_not_get_the_places_reserved_for_paired_devices()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:Limits:HandshakesPerDestination"] = "4" });
        for (int i = 0; i < 2; i++)
        {
            await using Encounter paired = await Encounter.AskAsync(gateway, _device); // at first by a rule, then by its grant
            await paired.ShouldBeAdmittedAsync();
        }

        Encounter[] strangers = new Encounter[3];
        for (int i = 0; i < strangers.Length; i++)
            strangers[i] = await Encounter.OpenAsync(gateway, gateway.RemotePort);
        await using Encounter fourth = await Encounter.OpenAsync(gateway, gateway.RemotePort);
        await strangers[0].ShouldBeClosedAsync(1013, "try again later"); // in the place of one of its own
        gateway.Log.Of(1107).ShouldHaveSingleItem();

        await using (Encounter again = await Encounter.AskAsync(gateway, _device))
        {
            await again.ShouldBeAdmittedAsync();
        }

        gateway.Log.Of(1107).ShouldHaveSingleItem("there was a place, so that nobody had to give way");
        foreach (Encounter stranger in strangers.Append(fourth))
            await stranger.DisposeAsync();
        await Eventually.HoldsAsync(() => Task.FromResult(gateway.Budgets.InUse == 0), "every place is free");
    }

    [Fact]
    public async Task A_flood_fills_neither_the_log_nor_the_audit()
    {
        await using TestGateway gateway = await TestGateway.StartAsync(new() { ["DeviceAuth:Limits:HandshakesPerSecondPerAddress"] = "1" }, time: _time);
        using var refused = new CountedDrops("proxygateway.handshakes.completed", gateway.Meters, "over-rate");
        for (int i = 0; i < 200; i++)
            await StatusAsync(gateway.RemotePort);

        refused.Count.ShouldBe(199);
        gateway.Log.Of(1202).Count().ShouldBe(PacedLogger<object>.LinesPerMinute);
        await Eventually.HoldsAsync(
            async () =>
            {
                _time.Advance(TimeSpan.FromSeconds(1)); // the audit writes on a timer
                return (await gateway.Audit.ListAsync(new AuditFilter(), before: null, 100, default)).Items.Count(e => e.Reason == "budget-of-address") == 1;
            },
            "the audit has it once");
    }

    private static async Task<int> StatusAsync(int port, params string[] headers)
    {
        (int status, string head, Stream stream) = await TestClient.RequestAsync(port, headers: headers);
        await stream.DisposeAsync();
        if (status is 429 or 503)
            head.ShouldContain("\r\nRetry-After: 1\r\n");
        return status;
    }
}
