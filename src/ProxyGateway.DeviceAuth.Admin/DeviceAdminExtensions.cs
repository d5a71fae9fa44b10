using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Admin.Page;
using ProxyGateway.DeviceAuth.Diagnostics;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// The operators' endpoints: on a separate listener (<see cref="AdminListenerExtensions"/>), or inside another application.
/// </summary>
public static class DeviceAdminExtensions
{
    /// <summary>Authentication by key, and the rights of each role. For the application behind the operators' listener.</summary>
    /// <param name="services">The services of the operators' application.</param>
    /// <param name="options">The configuration.</param>
    /// <param name="keys">The keys; they are renewed while the application runs.</param>
    internal static IServiceCollection AddDeviceAdmin(this IServiceCollection services, AdminOptions options, AdminKeyRing keys)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddSingleton(options);
        services.AddSingleton(keys);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(typeof(PacedLogger<>));
        services.AddRouting();

        // Not AddAuthentication: it adds data protection, which would store unused keys in the user's home.
        services.AddAuthenticationCore(authentication =>
        {
            authentication.DefaultScheme = AdminKeyHandler.SchemeName;
            authentication.AddScheme<AdminKeyHandler>(AdminKeyHandler.SchemeName, displayName: null);
        });
        services.AddWebEncoders();
        services.AddTransient<AdminKeyHandler>();
        services.AddMetrics();
        services.TryAddSingleton<GateTelemetry>();
        services.AddSingleton<KeyRefusals>();
        services.AddAdminEndpoints();
        services.AddHostedService<AdminKeyWatch>();
        services.TryAddSingleton(AdminRateLimit.Default);
        services.AddRateLimiter(_ => { });
        services.AddOptions<RateLimiterOptions>().Configure<AdminRateLimit>((options, limit) => limit.Apply(options));
        services.AddAuthorizationBuilder()
            .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build())
            .AddPolicy(AdminPolicies.Read, policy => policy.RequireRole(nameof(AdminRole.Viewer), nameof(AdminRole.Approver)))
            .AddPolicy(AdminPolicies.Decide, policy => policy.RequireRole(nameof(AdminRole.Approver)));
        return services;
    }

    /// <summary>Refuses foreign pages and names, requires a key, and answers every error as RFC 9457 defines.</summary>
    /// <param name="app">The operators' application.</param>
    internal static IApplicationBuilder UseDeviceAdmin(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        return app.UseMiddleware<AdminRequestGuard>().UseRouting().UseAuthentication().UseMiddleware<KeyedConnections>().UseMiddleware<AdminSpans>().UseRateLimiter().UseAuthorization();
    }

    /// <summary>Maps <c>/admin/v1</c>, <c>/openapi/v1.json</c>, the page at <c>/</c>, <c>/healthz</c>, <c>/readyz</c> and the JWKS.</summary>
    /// <param name="endpoints">The operators' application.</param>
    internal static IEndpointRouteBuilder MapDeviceAdmin(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        HealthEndpoints.Map(endpoints);
        JwksEndpoints.Map(endpoints);
        AdminDocument.Map(endpoints);
        PageEndpoints.Map(endpoints);
        RouteGroupBuilder admin = endpoints.MapGroup("/admin/v1");
        MeEndpoints.Map(admin);
        ProofEndpoints.Map(admin);
        MapResources(admin);
        return endpoints;
    }

    /// <summary>
    /// Maps the resources of the operators' endpoint (<c>requests</c>, <c>devices</c>, <c>invitations</c>, <c>sessions</c>, <c>audit</c>, <c>overview</c>, <c>events</c>) into
    /// an application with its own authentication. The audit has the user's name as the operator's, and the operator has no ceiling. Needs
    /// <see cref="AddAdminEndpoints"/>, <c>UseAuthentication</c> and <c>UseAuthorization</c>.
    /// </summary>
    /// <param name="endpoints">Where to map them, such as <c>app.MapGroup("/operators")</c>.</param>
    /// <param name="readPolicy">The application's authorization policy for reading.</param>
    /// <param name="decidePolicy">The application's authorization policy for approving, changing and removing.</param>
    /// <returns>The endpoints, for the application's conventions.</returns>
    /// <exception cref="ArgumentException">A policy has no name: the endpoints would be open.</exception>
    public static RouteGroupBuilder MapDeviceAdmin(this IEndpointRouteBuilder endpoints, string readPolicy, string decidePolicy)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentException.ThrowIfNullOrWhiteSpace(readPolicy);
        ArgumentException.ThrowIfNullOrWhiteSpace(decidePolicy);
        RouteGroupBuilder admin = endpoints.MapGroup("");
        admin.AddEndpointFilter<RouteGroupBuilder, EmbeddedAdminFilter>();
        MapResources(admin);
        ((IEndpointConventionBuilder)admin).Finally(endpoint => Rename(endpoint.Metadata, readPolicy, decidePolicy));
        return admin;
    }

    /// <summary>
    /// Adds the services that <see cref="MapDeviceAdmin(IEndpointRouteBuilder, string, string)"/> needs besides the gate.
    /// </summary>
    /// <param name="services">The services of an application with the gate.</param>
    public static IServiceCollection AddAdminEndpoints(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<EventStreams>();
        services.TryAddSingleton<AuditTail>();
        return services;
    }

    private static void MapResources(RouteGroupBuilder admin)
    {
        RequestEndpoints.Map(admin);
        DeviceEndpoints.Map(admin);
        FleetEndpoints.Map(admin);
        InvitationEndpoints.Map(admin);
        SessionEndpoints.Map(admin);
        AuditEndpoints.Map(admin);
        OverviewEndpoints.Map(admin);
        EventEndpoints.Map(admin);
    }

    // The endpoints name policies of the operators' own listener. Other policies that an application's conventions add stay; but a group
    // that allows anonymous access does not open the endpoints.
    private static void Rename(IList<object> metadata, string readPolicy, string decidePolicy)
    {
        for (int i = metadata.Count - 1; i >= 0; i--)
        {
            if (metadata[i] is IAllowAnonymous)
            {
                metadata.RemoveAt(i);
                continue;
            }

            metadata[i] = metadata[i] switch
            {
                IAuthorizeData { Policy: AdminPolicies.Read } => new AuthorizeAttribute(readPolicy),
                IAuthorizeData { Policy: AdminPolicies.Decide } => new AuthorizeAttribute(decidePolicy),
                var other => other,
            };
        }
    }
}
