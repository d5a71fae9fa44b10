using System.Runtime.CompilerServices;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Pairing;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.RouteValidators;

namespace ProxyGateway.Tests.Configuration;

/// <summary>Every configuration in the repository is valid, alone and on top of <c>appsettings.json</c>.</summary>
public sealed class ShippedConfigurationTests
{
    public static TheoryData<string> Files => [.. Directory.GetFiles(Path.Combine(Root, "config"), "*.json").Select(f => Path.GetRelativePath(Root, f)).Append("appsettings.json")];

    private static string Root => RootOf();

    [Theory]
    [MemberData(nameof(Files))]
    public async Task It_is_valid(string file)
    {
        IConfigurationRoot alone = Load(file);
        IConfigurationRoot layered = Load("appsettings.json", file);
        foreach (IConfigurationRoot configuration in new[] { alone, layered })
        {
            var errors = new ConfigurationErrors();
            DeviceAuthOptionsReader.Read(configuration, new Configurations.Users(), errors);
            RegistryOptionsReader.Read(configuration, errors);
            AdminOptionsReader.Read(configuration, errors);
            errors.All.ShouldBeEmpty();
        }

        (await RoutesOf(layered)).ShouldHaveSingleItem().RouteId.ShouldBe("agent");
    }

    [Fact]
    public async Task The_default_configuration_gates_everything_and_has_the_default_policy()
    {
        IConfigurationRoot configuration = Load("appsettings.json");

        configuration.GetSection("DeviceAuth:Pairing:AutoApprove").Exists().ShouldBeFalse();
        Configurations.Read(configuration).Policy.AutoApprove.ShouldBe(PairingPolicy.Default.AutoApprove);
        RouteConfig route = (await RoutesOf(configuration)).ShouldHaveSingleItem();
        route.Match.Path.ShouldBe("/{**path}");
        route.Metadata.ShouldNotBeNull()[DeviceAuthDefaults.HandshakeMetadata].ShouldBe(DeviceAuthDefaults.ConnectFrame);
    }

    [Theory]
    [InlineData]
    [InlineData("appsettings.json")]
    public async Task The_configuration_for_OpenClaw_lets_through_as_little_as_can_be(params string[] beneath)
    {
        IConfigurationRoot configuration = Load([.. beneath, "config/openclaw.json"]);

        DeviceAuthOptions options = Configurations.Read(configuration);
        options.HttpRequests.ShouldBe(HttpRequests.Deny);
        AutoApproveRule rule = options.Policy.AutoApprove.ShouldHaveSingleItem();
        rule.Users.ShouldNotBeNull().ShouldBe([Configurations.Self]);
        rule.FromNetworks.ShouldBeEmpty();
        rule.FromAny.ShouldBeFalse();

        RouteConfig route = (await RoutesOf(configuration)).ShouldHaveSingleItem();
        route.Match.Path.ShouldBe("/");
        route.Transforms.ShouldNotBeNull().ShouldContain(t => t.ContainsKey("X-Forwarded") && t["X-Forwarded"] == "Off");
        string[] passed = route.Transforms!.Single(t => t.ContainsKey("RequestHeadersAllowed"))["RequestHeadersAllowed"].Split(';');
        passed.ShouldBe(["Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Origin", "User-Agent"]);
    }

    private static IConfigurationRoot Load(params string[] files)
    {
        var builder = new ConfigurationBuilder();
        foreach (string file in files)
            builder.AddJsonFile(Path.Combine(Root, file), optional: false, reloadOnChange: false);
        return builder.Build();
    }

    // YARP's own reading and validation, with the gate's added.
    private static async Task<IReadOnlyList<RouteConfig>> RoutesOf(IConfiguration configuration)
    {
        await using ServiceProvider services = new ServiceCollection()
            .AddLogging()
            .AddRouting()
            .AddSingleton<IRouteValidator>(new DeviceAuthRouteValidator([DeviceAuthDefaults.ConnectFrame]))
            .AddReverseProxy().LoadFromConfig(configuration.GetSection("ReverseProxy")).Services
            .BuildServiceProvider();
        IProxyConfig config = services.GetRequiredService<IProxyConfigProvider>().GetConfig();
        IConfigValidator validator = services.GetRequiredService<IConfigValidator>();
        foreach (RouteConfig route in config.Routes)
            (await validator.ValidateRouteAsync(route)).ShouldBeEmpty();
        foreach (ClusterConfig cluster in config.Clusters)
            (await validator.ValidateClusterAsync(cluster)).ShouldBeEmpty();
        return config.Routes;
    }

    private static string RootOf([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../.."));
}
