using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.Logging.Console;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Sqlite;
using Yarp.ReverseProxy.Configuration;

namespace ProxyGateway.Serving;

/// <summary>Builds the gateway: YARP with the gate in its pipeline, the registry, and the operators' listener.</summary>
internal static class GatewayHost
{
    private const string DefaultUrl = "http://127.0.0.1:8080";

    /// <summary>The gateway, ready to start.</summary>
    /// <param name="args">Settings, as for any ASP.NET Core program.</param>
    /// <exception cref="InvalidConfigurationException">The configuration is invalid; the message names every error.</exception>
    /// <exception cref="InvalidDataException">The operators' key file is invalid.</exception>
    public static WebApplication Build(string[] args)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            Args = args,
            ContentRootPath = Directory.GetCurrentDirectory(),
        });
        builder.WebHost.UseKestrelHttpsConfiguration();
        AddLogging(builder);

        IDeviceAuthorizationBuilder gate = builder.Services.AddDeviceAuthorization(builder.Configuration);
        var errors = new ConfigurationErrors();
        GatewayConfiguration configuration = ReadConfiguration(gate, builder.Configuration, errors);
        AddRegistry(gate, configuration.Current.Get<RegistryOptions>(), builder.Environment.ContentRootPath, errors);
        var systemd = SystemdSockets.Inherited();
        bool isHttps = UseUrls(builder, errors);
        errors.ThrowIfAny();
        AdminOptions admin = configuration.Current.Get<AdminOptions>();
        TelemetryOptions telemetry = configuration.Current.Get<TelemetryOptions>();
        TelemetryExport.Add(builder, telemetry);

        EventLoops.Prepare();
        builder.WebHost.UseEventLoops();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;

            SilenceLimits.Apply(kestrel);
            kestrel.ListenOn(systemd.Gateway, isHttps);
        });
        builder.Services.AddSingleton<ConnectionBounds>();
        builder.Services.AddSingleton<CertificateAges>();
        ConnectionBounds.Apply(
            builder.Services,
            "data",
            static services => () => services.GetRequiredService<ConnectionBounds>().OfDataPort,
            static services => () => services.GetRequiredService<IDeviceAuthSettings>().Current.TrustedProxies);
        builder.Services.AddReverseProxy();
        builder.Services.AddSingleton(services => configuration.Follow(services.GetRequiredService<ILogger<GatewayConfiguration>>()));
        builder.Services.AddSingleton<IProxyConfigProvider, RoutesProvider>();
        builder.Services.AddSingleton(services => new HandshakeCeiling(() => services.GetRequiredService<ConnectionBounds>().MostHandshakes));
        builder.Services.AddSingleton(services => OperatorsListener(services, systemd, admin, telemetry));
        gate.AddAdminListener(admin, builder.Environment.ContentRootPath);

        // The caller reports a failed start in one line; the host would add a stack trace for each layer.
        bool started = false;
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting.Internal.Host", level => started && level >= LogLevel.Information);
        WebApplication app = builder.Build();
        TelemetryExport.Warn(telemetry, app.Services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(TelemetryExport)));
        _ = app.Services.GetRequiredService<CertificateAges>(); // its gauge exists from now on
        app.Lifetime.ApplicationStarted.Register(() => started = true);
        app.UseMiddleware<ConnectionRequestMiddleware>();
        app.MapReverseProxy(pipeline =>
        {
            pipeline.UseSessionAffinity();
            pipeline.UseLoadBalancing();
            pipeline.UsePassiveHealthChecks();
            pipeline.UseDeviceAuthorization();
        });
        return app;
    }

    private static AdminListenerSetup OperatorsListener(IServiceProvider services, SystemdSockets systemd, AdminOptions admin, TelemetryOptions telemetry)
    {
        ConnectionBounds bounds = services.GetRequiredService<ConnectionBounds>();
        return new AdminListenerSetup(
            builder =>
            {
                builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenOn(systemd.Operators, isHttps: admin.Url.Scheme == Uri.UriSchemeHttps));
                ConnectionBounds.Apply(builder.Services, "operators", _ => () => bounds.OfOperatorsPort, _ => () => []);
            },
            BringsEndpoints: !systemd.Operators.IsEmpty)
        {
            MapEndpoints = endpoints => TelemetryExport.MapScraping(endpoints, services, telemetry.Prometheus),
            AroundKeyedRequests = next => new ConnectionRequestMiddleware(next).InvokeAsync,
        };
    }

    private static void AddLogging(WebApplicationBuilder builder)
    {
        PacedLibraries.Add(builder.Services);
        builder.Services.AddSingleton<ConsoleFormatter, JsonLineFormatter>();

        // The slim builder sets it to the simple formatter, whatever the configuration says.
        builder.Services.PostConfigure<ConsoleLoggerOptions>(console => console.FormatterName = builder.Configuration["Logging:Console:FormatterName"]);

        // Beneath every other layer, so that the configuration overrides it.
        ((IConfigurationBuilder)builder.Configuration).Sources.Insert(0, new MemoryConfigurationSource
        {
            InitialData = new Dictionary<string, string?>
            {
                ["Logging:LogLevel:Microsoft.AspNetCore"] = "Warning",
                ["Logging:LogLevel:Microsoft.AspNetCore.DataProtection"] = "Error", // for YARP's session affinity; irrelevant otherwise
                ["Logging:LogLevel:Yarp"] = "Warning",

                // An event loop writes log lines, with all its connections waiting. It must not wait until somebody reads the standard
                // output.
                ["Logging:Console:QueueFullMode"] = nameof(ConsoleLoggerQueueFullMode.DropWrite),
                ["Logging:Console:FormatterName"] = ConsoleFormatterNames.Simple,
                ["Logging:Console:FormatterOptions:SingleLine"] = "true",
                ["Logging:Console:FormatterOptions:TimestampFormat"] = "HH:mm:ss ",
            },
        });
    }

    private static GatewayConfiguration ReadConfiguration(
        IDeviceAuthorizationBuilder gate, IConfiguration configuration, ConfigurationErrors errors)
    {
        return GatewayConfiguration.Read(
            configuration,
            [gate.GetConfigurationPart(), AdminOptions.ConfigurationPart, RegistryOptionsReader.Part, TelemetryOptionsReader.Part, RoutesReader.Part(gate.CreateRouteValidator(), gate.CreateTransformValidator())],
            errors);
    }

    private static void AddRegistry(
        IDeviceAuthorizationBuilder gate, RegistryOptions registry, string contentRoot, ConfigurationErrors errors)
    {
        if (errors.All.Count > 0)
            return;
        if (registry.Provider == RegistryProvider.Sqlite)
        {
            gate.AddSqliteStore(new SqliteStoreOptions
            {
                Path = Path.GetFullPath(registry.SqlitePath, contentRoot),
                AuditEntries = registry.AuditEntries,
                AuditBytes = registry.AuditBytes,
            });
            return;
        }

        try
        {
            gate.AddRedisStore(new RedisStoreOptions
            {
                Configuration = registry.RedisConfiguration,
                KeyPrefix = registry.RedisKeyPrefix,
                Timeout = registry.RedisTimeout,
                AuditEntries = registry.AuditEntries,
                AuditBytes = registry.AuditBytes,
                WaitForReplicas = registry.RedisWaitForReplicas,
            });
        }
        catch (ArgumentException e)
        {
            errors.Add("Registry:Redis", e.Message);
        }
    }

    // ASP.NET Core's own default is another port. Returns whether all of them are https.
    private static bool UseUrls(WebApplicationBuilder builder, ConfigurationErrors errors)
    {
        ConfigurationManager configuration = builder.Configuration;
        if (configuration["urls"] is not { Length: > 0 } urls)
        {
            if (configuration["http_ports"] is null && configuration["https_ports"] is null && !configuration.GetSection("Kestrel:Endpoints").Exists())
                builder.WebHost.UseUrls(DefaultUrl);
            return false;
        }

        string[] all = urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        foreach (string url in all)
        {
            try
            {
                BindingAddress.Parse(url);
            }
            catch (FormatException)
            {
                errors.AddValue("Urls", url, "URLs to listen on, as in " + DefaultUrl);
            }
        }

        return Array.TrueForAll(all, url => url.StartsWith("https:", StringComparison.OrdinalIgnoreCase));
    }
}
