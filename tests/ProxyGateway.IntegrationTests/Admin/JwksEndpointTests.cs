using System.Text;
using ProxyGateway.DeviceAuth.Identity;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.IntegrationTests.Admin;

/// <summary>Backends may fetch the keys of assertions from the operators' port, where no device comes.</summary>
public sealed class JwksEndpointTests
{
    [Fact]
    public async Task The_keys_of_all_gateways_are_served_without_a_key()
    {
        var store = new InMemoryDeviceStore();
        await store.SwapAsync(null, new SharedDocument(AssertionKeySet.Group, "a", Encoding.UTF8.GetBytes("""{"kid":"a"}"""), DateTimeOffset.UtcNow + AssertionKeySet.Stay), default);
        await using TestAdmin admin = await TestAdmin.StartAsync(store);

        Answer answer = await admin.GetAsync("/.well-known/proxygateway/jwks.json", key: null);

        (answer.Status, answer.Json.GetRawText()).ShouldBe((200, """{"keys":[{"kid":"a"}]}"""));
    }

    [Fact]
    public async Task With_the_registry_away_from_the_start_there_are_none()
    {
        await using TestAdmin admin = await TestAdmin.StartAsync(new InMemoryDeviceStore { IsAvailable = false });

        (await admin.GetAsync("/.well-known/proxygateway/jwks.json", key: null)).ShouldBeProblem(503, "registry-unavailable");
    }
}
