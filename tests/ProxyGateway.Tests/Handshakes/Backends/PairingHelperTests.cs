using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

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
            () => helper.ApproveAsync(destination, static _ => throw new InvalidOperationException(), "id", TimeSpan.FromSeconds(30), CancellationToken.None));

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
            () => helper.ApproveAsync(destination, static _ => throw new InvalidOperationException(), "id", TimeSpan.FromSeconds(30), CancellationToken.None));

        failure.Message.ShouldContain("evil");
        failure.Message.Any(char.IsControl).ShouldBeFalse();
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
