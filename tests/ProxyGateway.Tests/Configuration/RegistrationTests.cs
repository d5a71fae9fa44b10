using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Handshakes;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.RouteValidators;

namespace ProxyGateway.Tests.Configuration;

/// <summary>What an application adds is what its configuration may name, and is checked together.</summary>
public sealed class RegistrationTests
{
    [Fact]
    public async Task Only_an_added_handshake_can_be_named()
    {
        IServiceCollection services = Services("""{ "DeviceAuth": { "Handshake": "Mine" } }""");
        Should.Throw<InvalidConfigurationException>(() => Start(services)).Errors.ShouldBe(["DeviceAuth:Handshake: found \"Mine\"; allowed: ConnectFrame, Proof."]);
        (await ErrorsOfRouteAsync(services, "Mine")).ShouldHaveSingleItem().ShouldContain("allowed: ConnectFrame, Proof, Off");

        HandshakeRegistration.Add<Mine>(services, "Mine");
        Start(services).Handshake.ShouldBe("Mine");
        (await ErrorsOfRouteAsync(services, "Mine")).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("")]
    [InlineData("Off")]
    [InlineData("ConnectFrame")]
    public void A_handshake_cannot_have_a_reserved_name(string name) =>
        Should.Throw<ArgumentException>(() => HandshakeRegistration.Add<Mine>(Services("{}"), name));

    [Fact]
    public void An_applications_section_is_checked_together_with_the_gates()
    {
        IServiceCollection services = Services("""{ "DeviceAuth": { "MaxHandshakeBytes": 1 }, "Other": { "Number": 0 } }""");
        services.AddSingleton(ConfigurationPart.Of("Other", (all, errors) =>
            new Other(new SectionReader(ConfigurationLayers.Of(all), "Other", errors).Number("Number", 1, new NumberRange(1, 9)))));

        Should.Throw<InvalidConfigurationException>(() => Start(services)).Errors.Count.ShouldBe(2);
    }

    [Fact]
    public void A_gate_that_is_added_twice_is_refused()
    {
        var services = new ServiceCollection();
        services.AddDeviceAuthorization(options => options);

        Should.Throw<InvalidOperationException>(() => services.AddDeviceAuthorization(new ConfigurationBuilder().Build())).Message.ShouldContain("twice");
    }

    private static IServiceCollection Services(string json)
    {
        IServiceCollection services = new ServiceCollection().AddLogging();
        services.AddDeviceAuthorization(Configurations.Json(json));
        return services;
    }

    private static DeviceAuthOptions Start(IServiceCollection services)
    {
        using ServiceProvider provider = services.BuildServiceProvider();
        return provider.GetRequiredService<IDeviceAuthSettings>().Current;
    }

    private static async Task<IReadOnlyList<string>> ErrorsOfRouteAsync(IServiceCollection services, string handshake)
    {
        await using ServiceProvider provider = services.BuildServiceProvider();
        var errors = new List<Exception>();
        var route = new RouteConfig { RouteId = "r", Metadata = new Dictionary<string, string> { [DeviceAuthDefaults.HandshakeMetadata] = handshake } };
        foreach (IRouteValidator validator in provider.GetServices<IRouteValidator>())
            await validator.ValidateAsync(route, errors);
        return [.. errors.Select(e => e.Message)];
    }

    private sealed record Other(int Number);

    private sealed class Mine : IDeviceHandshake
    {
        public Task InvokeAsync(HandshakeRequest request) => request.ForwardAsync();
    }
}
