using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Health;
using ProxyGateway.DeviceAuth.Identity;
using ProxyGateway.DeviceAuth.Overview;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// The operators' listener: a separate web application inside the process, so that no request on the data port can reach it, whatever
/// headers it has. It shares the registry and the settings with the gate.
/// </summary>
internal sealed class AdminListener(
    IServiceProvider gateway, AdminOptions options, AdminKeyRing keys, IEnumerable<AdminListenerSetup> setups, ILogger<AdminListener> logger)
    : IHostedService, IAsyncDisposable
{
    private const string SocketAddress = "http://unix:/admin"; // stands for the socket, which is already bound

    private readonly AdminListenerSetup[] _setups = [.. setups];
    private WebApplication? _app;
    private OperatorsSocket? _socket;

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _socket = MakeSocket();
        _app = Build();
        await _app.StartAsync(cancellationToken);
        if (keys.CreatedFile is { } file)
            AdminListenerLog.KeyCreated(logger, file);
        foreach (string address in _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses ?? [])
        {
            if (!address.StartsWith("http://unix:", StringComparison.Ordinal))
                AdminListenerLog.Listening(logger, address);
        }

        if (_socket is not null)
            AdminListenerLog.SocketMade(logger, _socket.Path);
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        _socket?.Remove();
        return _app?.StopAsync(cancellationToken) ?? Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
        _socket?.Dispose();
    }

    private bool BringsEndpoints => Array.Exists(_setups, s => s.BringsEndpoints);

    // Without configuration the gateway also starts where no socket can be made: in a read-only folder, or a file system without sockets.
    private OperatorsSocket? MakeSocket()
    {
        if (OperatingSystem.IsWindows() || options.Socket is "" || (options.Socket is null && BringsEndpoints))
            return null;
        string path = options.Socket ?? AdminOptions.DefaultSocket;
        try
        {
            return OperatorsSocket.Bind(path);
        }
        catch (Exception e) when (options.Socket is null && e is IOException or UnauthorizedAccessException)
        {
            AdminListenerLog.NoSocket(logger, path, e.Message);
            return null;
        }
    }

    private WebApplication Build()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        IConfiguration certificates = Certificates(gateway.GetRequiredService<IConfiguration>());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            SilenceLimits.Apply(kestrel);
            kestrel.Configure(certificates);
        });
        foreach (AdminListenerSetup setup in _setups)
        {
            setup.Configure(builder);
            builder.Services.AddSingleton(setup);
        }

        UseAddresses(builder.WebHost);

        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.TryAddSingleton(typeof(PacedLogger<>));

        // Instances of another container: this one does not dispose of them.
        builder.Services.AddSingleton(gateway.GetRequiredService<ILoggerFactory>());
        builder.Services.AddSingleton(gateway.GetRequiredService<GateTelemetry>());
        builder.Services.AddSingleton(gateway.GetRequiredService<DeviceRegistry>());
        builder.Services.AddSingleton(gateway.GetRequiredService<DeviceFleet>());
        builder.Services.AddSingleton(gateway.GetRequiredService<Invitations>());
        builder.Services.AddSingleton(gateway.GetRequiredService<IDeviceConnections>());
        builder.Services.AddSingleton(gateway.GetRequiredService<AuditLog>());
        builder.Services.AddSingleton(gateway.GetRequiredService<IGateReadiness>());
        builder.Services.AddSingleton(gateway.GetRequiredService<IGateOverview>());
        builder.Services.AddSingleton(gateway.GetRequiredService<IDeviceAuthSettings>());
        builder.Services.AddSingleton(gateway.GetRequiredService<IDeviceAssertionKeys>());
        if (gateway.GetService<IAuditStore>() is { } audit)
            builder.Services.AddSingleton(audit);
        builder.Services.AddSingleton<IHostLifetime, GatewaysLifetime>();
        builder.Services.AddDeviceAdmin(options, keys);

        WebApplication app = builder.Build();
        app.UseDeviceAdmin();
        app.MapDeviceAdmin();
        foreach (AdminListenerSetup setup in _setups)
            setup.MapEndpoints?.Invoke(app);
        return app;
    }

    private void UseAddresses(IWebHostBuilder host)
    {
        if (_socket is { } own)
        {
            host.UseSockets(sockets => sockets.CreateBoundListenSocket = endpoint =>
                endpoint is UnixDomainSocketEndPoint ? own.Socket : SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint));
        }

        // With endpoints in code Kestrel would ignore addresses and log that.
        if (!BringsEndpoints)
            host.UseUrls([options.Url.GetLeftPart(UriPartial.Authority), .. _socket is null ? [] : (string[])[SocketAddress]]);
        else if (_socket is not null)
            host.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(SocketAddress["http://unix:".Length..]));
    }

    // The gateway's certificates, but not its endpoints.
    private static IConfigurationRoot Certificates(IConfiguration configuration) => new ConfigurationBuilder()
        .AddInMemoryCollection(configuration.GetSection("Kestrel:Certificates").AsEnumerable(makePathsRelative: true)
            .Select(pair => KeyValuePair.Create("Certificates:" + pair.Key, pair.Value)))
        .Build();

    /// <summary>Only the gateway handles signals.</summary>
    private sealed class GatewaysLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}

internal static partial class AdminListenerLog
{
    [LoggerMessage(310, LogLevel.Information, "Operators are served on {Address}")]
    public static partial void Listening(ILogger logger, string address);

    [LoggerMessage(311, LogLevel.Information, "A key for operators was made, in {File}")]
    public static partial void KeyCreated(ILogger logger, string file);

    [LoggerMessage(315, LogLevel.Information, "The command line reaches this gateway by the socket {Path}")]
    public static partial void SocketMade(ILogger logger, string path);

    [LoggerMessage(316, LogLevel.Warning, "The command line's socket {Path} cannot be made; commands use Admin:Url instead: {Reason}")]
    public static partial void NoSocket(ILogger logger, string path, string reason);
}
