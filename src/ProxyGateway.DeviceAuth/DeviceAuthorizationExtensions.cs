using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Handshakes;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;
using ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;
using ProxyGateway.DeviceAuth.Handshakes.Proof;
using ProxyGateway.DeviceAuth.Health;
using ProxyGateway.DeviceAuth.Identity;
using ProxyGateway.DeviceAuth.Limits;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Overview;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Registry.Auditing;
using ProxyGateway.DeviceAuth.Sessions;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Configuration.RouteValidators;
using Yarp.ReverseProxy.Transforms.Builder;

namespace ProxyGateway.DeviceAuth;

/// <summary>Adds device authorization to a YARP application.</summary>
public static class DeviceAuthorizationExtensions
{
    /// <summary>
    /// Adds the gate, configured by the section <c>DeviceAuth</c>. Add a store as well, and put <see cref="UseDeviceAuthorization"/> into
    /// the proxy's pipeline: without it, every proxied request is answered with 500. A store is an <see cref="IDeviceStore"/>; an
    /// <see cref="IAuditStore"/> and an <see cref="ILastSeenStore"/>, which the stores of this project also are, are optional.
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configuration">
    /// The whole configuration; reloads are followed. It is read when <see cref="UseDeviceAuthorization"/> is called.
    /// </param>
    /// <exception cref="InvalidOperationException">The gate was added before.</exception>
    public static IDeviceAuthorizationBuilder AddDeviceAuthorization(this IServiceCollection services, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configuration);
        return AddGate(
            services,
            _ => configuration,
            (s, handshakes) => DeviceAuthOptionsReader.Part(s.GetRequiredService<IOperatingSystemUsers>(), handshakes));
    }

    /// <summary>
    /// Adds the gate, configured in code: <c>AddDeviceAuthorization(options => options with { ... })</c>. The options are validated like
    /// those of a configuration, by <see cref="UseDeviceAuthorization"/>.
    /// </summary>
    /// <inheritdoc cref="AddDeviceAuthorization(IServiceCollection, IConfiguration)"/>
    /// <param name="services">The application's services.</param>
    /// <param name="configure">Makes the options from the defaults; called once.</param>
    public static IDeviceAuthorizationBuilder AddDeviceAuthorization(
        this IServiceCollection services, Func<DeviceAuthOptions, DeviceAuthOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        DeviceAuthOptions options = configure(new DeviceAuthOptions());
        return AddGate(
            services,
            s => s.GetService<IConfiguration>() ?? new ConfigurationBuilder().Build(), // for other parts, such as the operators'
            (_, handshakes) => DeviceAuthOptionsValidator.Part(options, handshakes));
    }

    /// <summary>Adds a handshake of the application's own, which <see cref="DeviceAuthOptions.Handshake"/> and routes' metadata may name from then on.</summary>
    /// <typeparam name="T">The handshake, a singleton that the container makes.</typeparam>
    /// <param name="gate">The gate.</param>
    /// <param name="name">Its name.</param>
    /// <exception cref="ArgumentException">The name is blank, is <c>Off</c>, or is another handshake's.</exception>
    public static IDeviceAuthorizationBuilder AddHandshake<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(this IDeviceAuthorizationBuilder gate, string name)
        where T : class, IDeviceHandshake
    {
        ArgumentNullException.ThrowIfNull(gate);
        HandshakeRegistration.Add<T>(gate.Services, name);
        return gate;
    }

    private static DeviceAuthorizationBuilder AddGate(
        IServiceCollection services, Func<IServiceProvider, IConfiguration> configuration, Func<IServiceProvider, IEnumerable<string>, ConfigurationPart> options)
    {
        if (services.Any(service => service.ServiceType == typeof(AdmissionDesk)))
            throw new InvalidOperationException("AddDeviceAuthorization was called twice: the second configuration of the gate would not count. Call it once.");
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IOperatingSystemUsers, OperatingSystemUsers>();
        services.TryAddSingleton(s => GatewayConfiguration.Start(
            configuration(s),
            [options(s, s.GetServices<HandshakeRegistration>().Select(h => h.Name)), .. s.GetServices<ConfigurationPart>()],
            s.GetRequiredService<ILogger<GatewayConfiguration>>()));
        services.TryAddSingleton<IDeviceAuthSettings, DeviceAuthSettings>();
        services.AddMetrics();
        services.TryAddSingleton<GateTelemetry>();
        services.TryAddSingleton(s => new AuditLog(
            s.GetRequiredService<TimeProvider>(),
            s.GetRequiredService<GateTelemetry>(),
            s.GetRequiredService<ILogger<AuditLog>>(),
            s.GetService<IAuditStore>(),
            s.GetServices<IAuditListener>(),
            s.GetRequiredService<OverviewRing>()));
        AddBackgroundService<AuditLog>(services);
        services.TryAddSingleton<OverviewRing>();
        services.TryAddSingleton(s => new OverviewDocuments(s.GetRequiredService<TimeProvider>(), s.GetService<ISharedDocumentStore>()));
        services.TryAddSingleton<IGateOverview, GateOverview>();
        AddBackgroundService<OverviewSampler>(services); // early, so that it stops late and counts what the others refuse meanwhile
        AddBackgroundService<LastSeenTracker>(services);
        services.TryAddSingleton(s => new DeviceRegistry(
            s.GetRequiredService<IDeviceStore>(), s.GetRequiredService<AuditLog>(), s.GetRequiredService<ILogger<DeviceRegistry>>(), s.GetRequiredService<GateTelemetry>()));
        services.TryAddSingleton(s => new RegistryCalls(s.GetRequiredService<GateTelemetry>()));
        services.TryAddSingleton<OpenRequests>();
        services.TryAddSingleton<DeviceFleet>();
        services.TryAddSingleton(s => new Invitations(
            s.GetRequiredService<DeviceRegistry>(), SharedDocuments(s), s.GetRequiredService<AuditLog>()));
        services.TryAddSingleton<INonceKeys>(s => new ProofNonceKeys(
            s.GetRequiredService<IDeviceStore>(), s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<ProofNonceKeys>>(), SharedDocuments(s)));
        AddBackgroundService<IdleDevices>(services);
        AddBackgroundService<ReachedBounds>(services);
        services.TryAddSingleton(s => s.GetRequiredService<IDeviceAuthSettings>().Current.Freshness);
        services.TryAddSingleton(s => new PairingWaits(
            s.GetRequiredService<DeviceRegistry>(),
            s.GetRequiredService<IDeviceAuthSettings>(),
            s.GetRequiredService<TimeProvider>(),
            s.GetService<HandshakeCeiling>()?.Most));
        services.TryAddSingleton<SessionTable>();
        services.TryAddSingleton<IDeviceConnections, DeviceConnections>();
        services.TryAddSingleton<RegistryFreshness>();
        services.TryAddSingleton<RegistryProbe>();
        services.TryAddSingleton<GateReadiness>();
        services.TryAddSingleton<IGateReadiness>(s => s.GetRequiredService<GateReadiness>());
        services.AddHostedService<RevocationWatch>();
        services.TryAddSingleton<DecisionQueue>();
        services.TryAddSingleton<Gatekeeper>();
        services.TryAddSingleton<AdmissionFilters>();
        services.TryAddSingleton<AdmissionDesk>();
        services.TryAddSingleton<DevicelessGatekeeper>();
        services.TryAddSingleton(s => new HandshakeBudgets(s.GetService<HandshakeCeiling>()?.Most));
        services.TryAddSingleton<ClientHistory>();
        services.TryAddSingleton<LoopbackPeers>();
        services.TryAddSingleton<HandshakeMetrics>();
        services.TryAddSingleton<RevocationMetrics>();
        services.TryAddSingleton<GateGauges>();
        services.TryAddSingleton(typeof(PacedLogger<>));
        AddBackgroundService<Draining>(services);
        AddBackgroundService<BackendPairings>(services);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<HostOptions>, DrainingPatience>());
        HandshakeRegistration.Add<ConnectFrameHandshake>(services, DeviceAuthDefaults.ConnectFrame);
        services.TryAddSingleton<ProofVerifier>();
        services.TryAddSingleton<SessionTokens>();
        HandshakeRegistration.Add<ProofHandshake>(services, DeviceAuthDefaults.Proof);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IReservedEndpoint, NonceEndpoint>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IReservedEndpoint, SessionEndpoint>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartupFilter, ReservedPaths>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IRouteValidator, DeviceAuthRouteValidator>(s =>
            new DeviceAuthRouteValidator(s.GetServices<HandshakeRegistration>().Select(h => h.Name), () => s.GetRequiredService<IDeviceAuthSettings>().Current.Handshake)));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigChangeListener, WaitEnder>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigChangeListener, BackendClusters>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ITransformProvider, GatedUpgradeTransform>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ITransformProvider, GateRequiredTransform>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ITransformProvider, DeviceIdentityTransform>());
        services.TryAddSingleton(s => new ClaimedHeaders(() => s.GetRequiredService<IProxyStateLookup>().GetRoutes().Select(route => route.Config)));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigChangeListener, ClaimedHeaders>(s => s.GetRequiredService<ClaimedHeaders>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<ITransformFactory, BackendHeaderFactory>());
        services.TryAddSingleton(s => new AssertionKeySet(
            SharedDocuments(s) ?? new ProcessDocuments(s.GetRequiredService<TimeProvider>()), s.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton<IDeviceAssertionKeys>(s => s.GetRequiredService<AssertionKeySet>());
        AddBackgroundService<AssertionKeys>(services);
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IReservedEndpoint, JwksEndpoint>());
        return new DeviceAuthorizationBuilder(services);
    }

    /// <summary>
    /// Puts the gate into YARP's pipeline. Place it at the end, after load balancing and health checks, right before the forwarding:
    /// <c>app.MapReverseProxy(proxy => { proxy.UseSessionAffinity(); proxy.UseLoadBalancing(); proxy.UsePassiveHealthChecks();
    /// proxy.UseDeviceAuthorization(); })</c>.
    /// </summary>
    /// <param name="proxy">The proxy's pipeline.</param>
    /// <exception cref="PlatformNotSupportedException">libsodium, which comes with the program, cannot be loaded.</exception>
    /// <exception cref="InvalidConfigurationException">
    /// The gate's options, or another part of the configuration, are invalid; the message names every error.
    /// </exception>
    /// <exception cref="InvalidOperationException">The gate was not added.</exception>
    public static IReverseProxyApplicationBuilder UseDeviceAuthorization(this IReverseProxyApplicationBuilder proxy)
    {
        ArgumentNullException.ThrowIfNull(proxy);
        Ed25519.EnsureSupported();
        _ = proxy.ApplicationServices.GetRequiredService<IDeviceAuthSettings>(); // reports configuration errors at start
        _ = proxy.ApplicationServices.GetRequiredService<GateGauges>(); // exist from now on, for those who listen
        proxy.UseMiddleware<DeviceAuthorizationMiddleware>();
        return proxy;
    }

    private static ISharedDocumentStore? SharedDocuments(IServiceProvider services) =>
        MeasuredDocuments.Of(services.GetService<ISharedDocumentStore>(), services.GetRequiredService<RegistryCalls>());

    private static void AddBackgroundService<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicConstructors)] T>(IServiceCollection services)
        where T : class, IHostedService
    {
        services.TryAddSingleton<T>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IHostedService, T>(s => s.GetRequiredService<T>()));
    }
}
