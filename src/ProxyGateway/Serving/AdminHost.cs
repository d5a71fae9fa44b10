using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using ProxyGateway.DeviceAuth;
using ProxyGateway.DeviceAuth.Admin;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.Serving;

/// <summary>
/// The operators' listener: a web application of its own inside the process, so that no request on the data port can reach it, whatever
/// its headers say. It shares the registry and the settings with the gate.
/// </summary>
internal sealed class AdminHost(IServiceProvider gateway, AdminOptions options, AdminKeyRing keys, ILogger<AdminHost> logger)
    : IHostedService, IAsyncDisposable
{
    private WebApplication? _app;

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _app = Build();
        await _app.StartAsync(cancellationToken);
        if (keys.CreatedFile is { } file)
            AdminHostLog.KeyCreated(logger, file);
        foreach (string address in _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses ?? [])
            AdminHostLog.Listening(logger, address);
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => _app?.StopAsync(cancellationToken) ?? Task.CompletedTask;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _app?.DisposeAsync() ?? ValueTask.CompletedTask;

    private WebApplication Build()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        IConfiguration certificates = Certificates(gateway.GetRequiredService<IConfiguration>());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().UseUrls(options.Url.GetLeftPart(UriPartial.Authority));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Configure(certificates);
        });

        // Instances of another container: this one does not dispose of them.
        builder.Services.AddSingleton(gateway.GetRequiredService<ILoggerFactory>());
        builder.Services.AddSingleton(gateway.GetRequiredService<DeviceRegistry>());
        builder.Services.AddSingleton(gateway.GetRequiredService<DeviceFleet>());
        builder.Services.AddSingleton(gateway.GetRequiredService<SessionTable>());
        builder.Services.AddSingleton(gateway.GetRequiredService<Draining>());
        builder.Services.AddSingleton(gateway.GetRequiredService<RegistryFreshness>());
        builder.Services.AddSingleton(gateway.GetRequiredService<IDeviceAuthSettings>());
        if (gateway.GetService<IAuditStore>() is { } audit)
            builder.Services.AddSingleton(audit);
        builder.Services.AddSingleton<IHostLifetime, GatewaysLifetime>();
        builder.Services.AddDeviceAdmin(options, keys);

        WebApplication app = builder.Build();
        app.UseDeviceAdmin();
        app.MapDeviceAdmin();
        return app;
    }

    // The gateway's certificates, but not its endpoints.
    private static IConfigurationRoot Certificates(IConfiguration configuration) => new ConfigurationBuilder()
        .AddInMemoryCollection(configuration.GetSection("Kestrel:Certificates").AsEnumerable(makePathsRelative: true)
            .Select(pair => KeyValuePair.Create("Certificates:" + pair.Key, pair.Value)))
        .Build();

    /// <summary>Signals are the gateway's to handle.</summary>
    private sealed class GatewaysLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

internal static partial class AdminHostLog
{
    [LoggerMessage(310, LogLevel.Information, "Operators are served on {Address}")]
    public static partial void Listening(ILogger logger, string address);

    [LoggerMessage(311, LogLevel.Information, "A key for operators was made, in {File}")]
    public static partial void KeyCreated(ILogger logger, string file);
}
