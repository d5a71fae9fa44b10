using Microsoft.Extensions.Configuration;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Identity;
using ProxyGateway.Serving;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.Tests.Serving;

public sealed class RoutesReaderTests
{
    // YARP takes routes a moment after the gate takes its options. In between, routes that said nothing would be gated as those are that say more.
    [Fact]
    public void A_route_is_gated_by_the_snapshot_that_it_belongs_to()
    {
        var settings = new Dictionary<string, string?>(Agent);
        RouteConfig closed = Read(settings, new ConfigurationErrors()).ShouldHaveSingleItem();
        settings["DeviceAuth:HttpRequests"] = "Allow";
        RouteConfig open = Read(settings, new ConfigurationErrors()).ShouldHaveSingleItem();
        settings["ReverseProxy:Routes:agent:Metadata:DeviceAuth.Http"] = "Deny";
        settings["ReverseProxy:Routes:agent:Metadata:deviceAuth"] = "Off";
        settings["ReverseProxy:Routes:agent:Metadata:mine"] = "stays";
        RouteConfig own = Read(settings, new ConfigurationErrors()).ShouldHaveSingleItem();

        closed.Metadata.ShouldNotBeNull().ShouldBe(Metadata("ConnectFrame", "Deny"), ignoreOrder: true);
        open.Metadata.ShouldNotBeNull().ShouldBe(Metadata("ConnectFrame", "Allow"), ignoreOrder: true);
        own.Metadata.ShouldNotBeNull().ShouldBe([new("deviceAuth", "Off"), new("DeviceAuth.Http", "Deny"), new("mine", "stays")], ignoreOrder: true);

        static KeyValuePair<string, string>[] Metadata(string handshake, string http) => [new("DeviceAuth", handshake), new("DeviceAuth.Http", http)];
    }

    // Each of these YARP meets with another kind of exception.
    [Theory]
    [InlineData("HttpRequest:ActivityTimeout", "00:61:00")]
    [InlineData("HttpRequest:ActivityTimeout", "a minute")]
    [InlineData("HttpClient:MaxConnectionsPerServer", "99999999999")]
    [InlineData("HttpRequest:Version", "2.99999999999")]
    public void A_value_that_YARP_cannot_read_is_an_error_of_the_configuration(string key, string value)
    {
        var errors = new ConfigurationErrors();

        Read(new Dictionary<string, string?>(Agent) { [$"ReverseProxy:Clusters:agent:{key}"] = value }, errors);

        errors.All.ShouldHaveSingleItem().ShouldStartWith("ReverseProxy");
    }

    [Theory]
    [InlineData("Value", "name", "ReverseProxy:Routes:agent: DeviceHeader \"X-User\", Value: found \"name\"; allowed: id, label, role, scopes.")]
    [InlineData("Valeu", "id", "ReverseProxy:Routes:agent: DeviceHeader \"X-User\", Valeu: unknown key; allowed: DeviceHeader, Value.")]
    public void A_misspelt_transform_of_the_gates_is_an_error_that_names_its_key(string key, string value, string error)
    {
        var errors = new ConfigurationErrors();
        var settings = new Dictionary<string, string?>(Agent)
        {
            ["ReverseProxy:Routes:agent:Transforms:0:DeviceHeader"] = "X-User",
            [$"ReverseProxy:Routes:agent:Transforms:0:{key}"] = value,
        };

        Read(settings, errors);

        errors.All.ShouldContain(error);
    }

    [Fact]
    public void The_gates_transforms_are_ones_of_the_routes()
    {
        var errors = new ConfigurationErrors();
        var settings = new Dictionary<string, string?>(Agent)
        {
            ["ReverseProxy:Routes:agent:Transforms:0:DeviceHeader"] = "X-User",
            ["ReverseProxy:Routes:agent:Transforms:0:Value"] = "id",
        };

        Read(settings, errors).ShouldHaveSingleItem().Transforms.ShouldNotBeNull().ShouldHaveSingleItem();

        errors.All.ShouldBeEmpty();
    }

    private static readonly Dictionary<string, string?> Agent = new()
    {
        ["ReverseProxy:Routes:agent:ClusterId"] = "agent",
        ["ReverseProxy:Routes:agent:Match:Path"] = "/{**path}",
        ["ReverseProxy:Clusters:agent:Destinations:local:Address"] = "http://127.0.0.1:1",
    };

    private static IReadOnlyList<RouteConfig> Read(Dictionary<string, string?> settings, ConfigurationErrors errors) =>
        ((IProxyConfig)RoutesReader.Part(new DeviceAuthRouteValidator(["ConnectFrame"]), new BackendHeaderFactory(new ClaimedHeaders(() => []))).Read(new ConfigurationBuilder().AddInMemoryCollection(settings).Build(), errors)).Routes;
}
