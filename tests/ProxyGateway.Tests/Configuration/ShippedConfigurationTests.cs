using System.Net;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.Serving;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.RouteValidators;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Transforms.Builder;

namespace ProxyGateway.Tests.Configuration;

/// <summary>Every configuration in the repository is valid, alone and on top of <c>appsettings.json</c>.</summary>
public sealed class ShippedConfigurationTests
{
    public static TheoryData<string> Files => [.. Directory.GetFiles(Path.Combine(Root, "config"), "*.json").Select(f => Path.GetRelativePath(Root, f)).Append("appsettings.json")];

    /// <summary>The repository's root.</summary>
    internal static string Root => RootOf();

    [Theory]
    [MemberData(nameof(Files))]
    public async Task A_shipped_configuration_is_valid(string file)
    {
        IConfigurationRoot alone = Load(file);
        IConfigurationRoot layered = Load("appsettings.json", file);
        foreach (IConfigurationRoot configuration in new[] { alone, layered })
        {
            var errors = new ConfigurationErrors();
            Configurations.Read(configuration, errors);
            RegistryOptionsReader.Read(configuration, errors);
            AdminOptionsReader.Read(configuration, errors);
            errors.All.ShouldBeEmpty();
        }

        string[] further = ["page", "mcp-"];
        (await RoutesOf(layered)).Where(r => !further.Any(f => r.RouteId.StartsWith(f, StringComparison.Ordinal))).ShouldHaveSingleItem().RouteId.ShouldBe("agent");
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
    public async Task The_configuration_for_OpenClaw_forwards_as_little_as_possible(params string[] beneath)
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
    }

    [Theory]
    [InlineData]
    [InlineData("appsettings.json")]
    public async Task The_configuration_for_the_Control_UI_opens_its_pages_for_reading_and_nothing_else(params string[] beneath)
    {
        IConfigurationRoot configuration = Load([.. beneath, "config/openclaw-control-ui.json"]);

        DeviceAuthOptions options = Configurations.Read(configuration);
        options.HttpRequests.ShouldBe(HttpRequests.Deny);
        options.AllowedOrigins.ShouldHaveSingleItem().ShouldBe("https://agent.example.com");
        AutoApproveRule rule = options.Policy.AutoApprove.ShouldHaveSingleItem();
        (rule.Users.ShouldNotBeNull().Single(), rule.Browsers, rule.FromAny, rule.FromNetworks.Length).ShouldBe((Configurations.Self, false, false, 0));

        foreach (RouteConfig route in await RoutesOf(configuration))
        {
            route.Metadata.ShouldNotBeNull()[DeviceAuthDefaults.HandshakeMetadata].ShouldBe(DeviceAuthDefaults.ConnectFrame, "an upgrade is gated, whatever else is wrong");
            if (route.RouteId == "agent")
                continue;
            route.Match.Methods.ShouldBe(["GET", "HEAD"]);
            RouteHeader header = route.Match.Headers.ShouldNotBeNull().ShouldHaveSingleItem();
            (header.Name, header.Mode).ShouldBe(("Upgrade", HeaderMatchMode.NotExists));
        }
    }

    [Theory]
    [InlineData("config/any-agent.json")]
    [InlineData("appsettings.json", "config/any-agent.json")]
    [InlineData("config/any-agent.json", "config/mcp.json")]
    public async Task The_configurations_for_any_agent_take_a_proof_on_every_route_and_approve_the_gateways_user_alone(params string[] files)
    {
        IConfigurationRoot configuration = Load(files);

        DeviceAuthOptions options = Configurations.Read(configuration);
        AutoApproveRule rule = options.Policy.AutoApprove.ShouldHaveSingleItem();
        (rule.Users.ShouldNotBeNull().Single(), rule.Browsers, rule.FromAny, rule.FromNetworks.Length).ShouldBe((Configurations.Self, false, false, 0));
        (await RoutesOf(configuration)).ShouldAllBe(route => route.Metadata![DeviceAuthDefaults.HandshakeMetadata] == DeviceAuthDefaults.Proof);
    }

    [Fact]
    public async Task In_the_table_for_MCP_what_no_route_names_needs_most()
    {
        IConfigurationRoot configuration = Load(["config/any-agent.json", "config/mcp.json"]);

        IReadOnlyList<RouteConfig> routes = await RoutesOf(configuration);
        RouteConfig rest = routes.Single(r => r.RouteId == "agent");
        rest.Match.Headers.ShouldBeNull();
        foreach (RouteConfig route in routes.Where(r => r != rest))
        {
            route.Order.ShouldNotBeNull().ShouldBeLessThan(rest.Order!.Value);
            Configurations.Read(configuration).Policy.Implications
                .Covers("client", ScopeSet.Of([rest.Metadata!["DeviceAuth.Scopes"]]), ScopeSet.Of([route.Metadata!["DeviceAuth.Scopes"]])).ShouldBeTrue(route.RouteId);
        }
    }

    // What OpenClaw believes, or refuses a connection for, and what else proxies are known to add.
    [Theory]
    [InlineData("Forwarded")]
    [InlineData("X-Forwarded")]
    [InlineData("X-Forwarded-For")]
    [InlineData("X-Forwarded-Proto")]
    [InlineData("X-Forwarded-Host")]
    [InlineData("X-Forwarded-Prefix")]
    [InlineData("X-Forwarded-Port")]
    [InlineData("X-Forwarded-Server")]
    [InlineData("X-Forwarded-Ssl")]
    [InlineData("X-Forwarded-User")]
    [InlineData("X-Forwarded-Anything-Else")]
    [InlineData("X-Real-IP")]
    [InlineData("X-Remote-User")]
    [InlineData("X-Pomerium-Claim-Email")]
    [InlineData("Via")]
    [InlineData("CF-Connecting-IP")]
    [InlineData("Cf-Access-Jwt-Assertion")]
    [InlineData("True-Client-IP")]
    [InlineData("Tailscale-User-Login")]
    [InlineData("Tailscale-User-Name")]
    [InlineData("Tailscale-User-Profile-Pic")]
    [InlineData("Tailscale-App-Capabilities")]
    [InlineData("Tailscale-Funnel-Request")]
    [InlineData("Tailscale-Headers-Info")]
    [InlineData("X-OpenClaw-Scopes")]
    [InlineData("X-OpenClaw-Token")]
    [InlineData("Authorization")]
    [InlineData("Cookie")]
    public async Task An_OpenClaw_backend_gets_no_header_that_it_might_trust(string header)
    {
        var request = new DefaultHttpContext();
        request.Connection.RemoteIpAddress = IPAddress.Parse("203.0.113.7");
        request.Request.Scheme = "https";
        request.Request.Host = new HostString("gateway.example");
        string[] passed = ["Origin", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol", "Sec-WebSocket-Version", "User-Agent"];
        foreach (string name in passed.Append(header))
            request.Request.Headers[name] = "1";

        foreach (string file in new[] { "config/openclaw.json", "config/openclaw-control-ui.json" })
        {
            foreach (IConfigurationRoot configuration in new[] { Load(file), Load("appsettings.json", file) })
            {
                await using ServiceProvider services = ServicesFor(configuration);
                foreach (RouteConfig route in await RoutesOf(configuration))
                {
                    HttpTransformer transformer = services.GetRequiredService<ITransformBuilder>().Build(route, cluster: null);
                    using var forwarded = new HttpRequestMessage();
                    await transformer.TransformRequestAsync(request, forwarded, "http://127.0.0.1:18789", CancellationToken.None);

                    forwarded.Headers.Select(h => h.Key).Order(StringComparer.Ordinal).ShouldBe(route.RouteId == "agent" ? passed : ["User-Agent"]);
                    forwarded.Headers.Host.ShouldBeNull();
                }
            }
        }
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
        await using ServiceProvider services = ServicesFor(configuration);
        IProxyConfig config = services.GetRequiredService<IProxyConfigProvider>().GetConfig();
        IConfigValidator validator = services.GetRequiredService<IConfigValidator>();
        foreach (RouteConfig route in config.Routes)
            (await validator.ValidateRouteAsync(route)).ShouldBeEmpty();
        foreach (ClusterConfig cluster in config.Clusters)
            (await validator.ValidateClusterAsync(cluster)).ShouldBeEmpty();
        return config.Routes;
    }

    private static ServiceProvider ServicesFor(IConfiguration configuration) => new ServiceCollection()
        .AddLogging()
        .AddRouting()
        .AddSingleton<IRouteValidator>(new DeviceAuthRouteValidator([DeviceAuthDefaults.ConnectFrame, DeviceAuthDefaults.Proof]))
        .AddReverseProxy().LoadFromConfig(configuration.GetSection("ReverseProxy")).Services
        .BuildServiceProvider();

    private static string RootOf([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../.."));
}
