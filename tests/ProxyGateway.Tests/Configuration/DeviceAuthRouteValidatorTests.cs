using ProxyGateway.DeviceAuth.Configuration;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.Tests.Configuration;

public sealed class DeviceAuthRouteValidatorTests
{
    [Theory]
    [InlineData("DeviceAuth", "Off", true)]
    [InlineData("DeviceAuth", "ConnectFrame", true)]
    [InlineData("DeviceAuth.Http", "Deny", true)]
    [InlineData("DeviceAuth.Http", "Allow", true)]
    [InlineData("Other", "anything", true)]
    [InlineData("DeviceAuth", "off", false)]
    [InlineData("DeviceAuth", "connectframe", false)]
    [InlineData("DeviceAuth", "", false)]
    [InlineData("DeviceAuth", null, false)]
    [InlineData("DeviceAuth", "Deny", false)]
    [InlineData("DeviceAuth.Http", "allow", false)]
    [InlineData("DeviceAuth.Http", "Off", false)]
    [InlineData("DeviceAuth.Htpp", "Allow", false)]
    [InlineData("DeviceAuthHttp", "Allow", false)]
    [InlineData("DEVICEAUTH.HTPP", "Allow", false)]
    public async Task Metadata_is_spelt_exactly_or_refused(string key, string? value, bool valid)
    {
        (await Errors(StringComparer.OrdinalIgnoreCase, (key, value))).Count.ShouldBe(valid ? 0 : 1);
        (await Errors(StringComparer.Ordinal, (key, value))).Count.ShouldBe(valid ? 0 : 1);
    }

    [Fact]
    public async Task A_metadata_key_in_another_case_is_accepted_only_if_the_gate_finds_it()
    {
        (await Errors(StringComparer.OrdinalIgnoreCase, ("deviceauth", "Off"))).ShouldBeEmpty();
        (await Errors(StringComparer.Ordinal, ("deviceauth", "Off"))).ShouldHaveSingleItem();
        (await Errors(StringComparer.Ordinal, ("deviceauth", "Off"), ("DeviceAuth", "ConnectFrame"))).ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_route_without_metadata_is_valid() =>
        (await Errors(new RouteConfig { RouteId = "r" })).ShouldBeEmpty();

    private static Task<List<Exception>> Errors(StringComparer comparer, params (string Key, string? Value)[] metadata) =>
        Errors(new RouteConfig { RouteId = "r", Metadata = metadata.ToDictionary(m => m.Key, m => m.Value!, comparer) });

    private static async Task<List<Exception>> Errors(RouteConfig route)
    {
        var errors = new List<Exception>();
        await new DeviceAuthRouteValidator(["ConnectFrame"]).ValidateAsync(route, errors);
        return errors;
    }
}
