using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using ProxyGateway.DeviceAuth.Admin.OpenApi;
using ProxyGateway.DeviceAuth.Admin.Page;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// The operators' endpoints. They belong on a listener of their own: in an application of their own, with nothing else in it.
/// </summary>
public static class DeviceAdminExtensions
{
    /// <summary>Authentication by key, and what each role may do. Needs what <see cref="DeviceAuthorizationExtensions.AddDeviceAuthorization"/> adds.</summary>
    /// <param name="services">The services of the operators' application.</param>
    /// <param name="options">The configuration.</param>
    /// <param name="keys">The keys; while the application runs, they are looked after.</param>
    public static IServiceCollection AddDeviceAdmin(this IServiceCollection services, AdminOptions options, AdminKeyRing keys)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddSingleton(options);
        services.AddSingleton(keys);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(typeof(PacedLogger<>));
        services.AddRouting();

        // Not AddAuthentication: it brings data protection along, which keeps keys in the user's home that nothing here would use.
        services.AddAuthenticationCore(authentication =>
        {
            authentication.DefaultScheme = AdminKeyHandler.SchemeName;
            authentication.AddScheme<AdminKeyHandler>(AdminKeyHandler.SchemeName, displayName: null);
        });
        services.AddWebEncoders();
        services.AddTransient<AdminKeyHandler>();
        services.AddMetrics();
        services.AddSingleton<KeyRefusals>();
        services.AddSingleton<EventStreams>();
        services.AddHostedService<AdminKeyWatch>();
        services.AddAdminDescription();
        services.TryAddSingleton(AdminRateLimit.Default);
        services.AddRateLimiter(_ => { });
        services.AddOptions<RateLimiterOptions>().Configure<AdminRateLimit>((options, limit) => limit.Apply(options));
        services.AddAuthorizationBuilder()
            .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build())
            .AddPolicy(AdminPolicies.Read, policy => policy.RequireRole(nameof(AdminRole.Viewer), nameof(AdminRole.Approver)))
            .AddPolicy(AdminPolicies.Decide, policy => policy.RequireRole(nameof(AdminRole.Approver)));
        return services;
    }

    /// <summary>Refuses foreign pages and names, asks for a key, and answers every error as RFC 9457 has it.</summary>
    /// <param name="app">The operators' application.</param>
    public static IApplicationBuilder UseDeviceAdmin(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        return app.UseMiddleware<AdminRequestGuard>().UseRouting().UseAuthentication().UseMiddleware<KeyedConnections>().UseRateLimiter().UseAuthorization();
    }

    /// <summary>Maps <c>/admin/v1</c>, <c>/openapi/v1.json</c>, the page at <c>/</c>, <c>/healthz</c> and <c>/readyz</c>.</summary>
    /// <param name="endpoints">The operators' application.</param>
    public static IEndpointRouteBuilder MapDeviceAdmin(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        HealthEndpoints.Map(endpoints);
        AdminDocument.Map(endpoints);
        PageEndpoints.Map(endpoints);
        RouteGroupBuilder admin = endpoints.MapGroup("/admin/v1");
        MeEndpoints.Map(admin);
        ProofEndpoints.Map(admin);
        RequestEndpoints.Map(admin);
        DeviceEndpoints.Map(admin);
        FleetEndpoints.Map(admin);
        SessionEndpoints.Map(admin);
        AuditEndpoints.Map(admin);
        EventEndpoints.Map(admin);
        return endpoints;
    }
}

internal static class AdminPolicies
{
    public const string Read = "Admin.Read";
    public const string Decide = "Admin.Decide";
}
