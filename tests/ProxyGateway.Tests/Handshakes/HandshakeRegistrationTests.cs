using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Handshakes;

namespace ProxyGateway.Tests.Handshakes;

/// <summary>The handshakes that an application adds by name.</summary>
public sealed class HandshakeRegistrationTests
{
    [Fact]
    public void A_name_is_one_handshakes_and_adding_it_again_does_nothing()
    {
        var services = new ServiceCollection();
        HandshakeRegistration.Add<Mine>(services, "Mine");
        HandshakeRegistration.Add<Mine>(services, "Mine");

        Should.Throw<ArgumentException>(() => HandshakeRegistration.Add<Other>(services, "Mine")).Message.ShouldContain("'Mine'");

        HandshakeRegistration.NamesIn(services).ShouldBe(["Mine"]);
        services.Select(s => s.ServiceType).ShouldBe([typeof(HandshakeRegistration), typeof(Mine)]);
    }

    private sealed class Mine : IDeviceHandshake
    {
        public Task InvokeAsync(HandshakeRequest request) => throw new NotSupportedException();
    }

    private sealed class Other : IDeviceHandshake
    {
        public Task InvokeAsync(HandshakeRequest request) => throw new NotSupportedException();
    }
}
