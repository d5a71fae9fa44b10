using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Handshakes.Backends;

/// <summary>Whom the gate shows a backend's token.</summary>
public sealed class PairingHelperTests
{
    [Theory]
    [InlineData("ws://192.0.2.1/", false)]
    [InlineData("ws://agent.example/", false)]
    [InlineData("wss://192.0.2.1/", true)]
    [InlineData("ws://127.0.0.1:1/", true)]
    [InlineData("ws://[::1]:1/", true)]
    [InlineData("ws://localhost:1/", true)]
    public async Task A_token_does_not_pass_a_network_in_the_clear(string address, bool connects)
    {
        using var backend = new UnreachableBackend();
        using var client = new HttpMessageInvoker(backend);
        await using var helper = new PairingHelper(new OpenClawBackendOptions { Token = "token" }, "/", TimeProvider.System, new BackendLog(NullLogger.Instance));
        var destination = new BackendDestination("agent", "a", new Uri(address), Host: null, client);

        await Should.ThrowAsync<BackendPairingException>(
            () => helper.ApproveAsync(destination, Some.Claim().Device, static _ => throw new InvalidOperationException(), "id", TimeSpan.FromSeconds(30), CancellationToken.None));

        backend.Requests.ShouldBe(connects ? 1 : 0);
    }

    [Fact]
    public async Task What_a_backend_puts_into_the_message_of_an_exception_is_cleaned()
    {
        using var backend = new UnreachableBackend();
        using var client = new HttpMessageInvoker(backend);
        await using var helper = new PairingHelper(new OpenClawBackendOptions { Token = "token" }, "/", TimeProvider.System, new BackendLog(NullLogger.Instance));
        var destination = new BackendDestination("agent", "a", new Uri("ws://127.0.0.1:1/"), Host: null, client);

        BackendPairingException failure = await Should.ThrowAsync<BackendPairingException>(
            () => helper.ApproveAsync(destination, Some.Claim().Device, static _ => throw new InvalidOperationException(), "id", TimeSpan.FromSeconds(30), CancellationToken.None));

        failure.Message.ShouldContain("evil");
        failure.Message.Any(char.IsControl).ShouldBeFalse();
    }

    [Fact]
    public async Task One_device_does_not_fill_the_queue()
    {
        using var backend = new SilentBackend();
        using var client = new HttpMessageInvoker(backend);
        var helper = new PairingHelper(new OpenClawBackendOptions { Token = "token" }, "/", TimeProvider.System, new BackendLog(NullLogger.Instance));
        DeviceId device = Some.Claim().Device;
        var waiting = new List<Task>();
        for (int i = 0; i < PairingHelper.MaxWaitingOfDevice; i++)
            waiting.Add(ApproveAsync(helper, client, device));

        BackendPairingException refused = await Should.ThrowAsync<BackendPairingException>(() => ApproveAsync(helper, client, device));
        for (int i = waiting.Count; i < PairingHelper.MaxWaiting; i++)
            waiting.Add(ApproveAsync(helper, client, Some.Claim().Device));
        BackendPairingException full = await Should.ThrowAsync<BackendPairingException>(() => ApproveAsync(helper, client, Some.Claim().Device));

        refused.Message.ShouldBe("too many approvals of this device wait for it");
        full.Message.ShouldBe("too many approvals wait for it");
        waiting.ShouldAllBe(w => !w.IsCompleted);
        await helper.DisposeAsync();
        foreach (Task one in waiting)
            await Should.ThrowAsync<BackendPairingException>(() => one);
    }

    [Fact]
    public async Task An_approval_whose_turn_comes_late_is_given_up_before_it_costs_the_connection()
    {
        var time = new FakeTimeProvider();
        using var backend = new SilentBackend();
        using var client = new HttpMessageInvoker(backend);
        await using var helper = new PairingHelper(new OpenClawBackendOptions { Token = "token" }, "/", time, new BackendLog(NullLogger.Instance));
        Task first = ApproveAsync(helper, client, Some.Claim().Device);
        await Eventually.HoldsAsync(() => Task.FromResult(backend.Requests == 1), "the first has its turn");
        Task second = ApproveAsync(helper, client, Some.Claim().Device);

        time.Advance(TimeSpan.FromSeconds(15));

        (await Should.ThrowAsync<BackendPairingException>(() => second)).Message.ShouldBe("others were first, and their approvals took too long");
        first.IsCompleted.ShouldBeFalse();
        backend.Requests.ShouldBe(1);
        time.Advance(TimeSpan.FromSeconds(15));
        (await Should.ThrowAsync<BackendPairingException>(() => first)).Message.ShouldBe("it took longer than 00:00:30");
    }

    private static Task ApproveAsync(PairingHelper helper, HttpMessageInvoker client, DeviceId device) => helper.ApproveAsync(
        new BackendDestination("agent", "a", new Uri("ws://127.0.0.1:1/"), Host: null, client),
        device,
        static _ => throw new InvalidOperationException(),
        "id",
        TimeSpan.FromSeconds(30),
        CancellationToken.None);

    private sealed class SilentBackend : HttpMessageHandler
    {
        private int _requests;

        public int Requests => Volatile.Read(ref _requests);

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _requests);
            await Task.Delay(Timeout.Infinite, cancellationToken);
            throw new InvalidOperationException("unreachable");
        }
    }

    private sealed class UnreachableBackend : HttpMessageHandler
    {
        public int Requests { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests++;
            throw new HttpRequestException("evil \u001b[31m");
        }
    }
}
