using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Configuration;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>Adds the operators' listener.</summary>
public static class AdminListenerExtensions
{
    /// <summary>
    /// Serves operators on a separate listener, which no request on another port can reach: the admin endpoint, its page and its OpenAPI
    /// document, <c>/healthz</c> and <c>/readyz</c>; and sends events to webhooks. Configured by the section <c>Admin</c>: a reload applies
    /// the keys at once, the rest applies at the next start. If no key is configured, one is made at first start.
    /// </summary>
    /// <param name="gate">The gate.</param>
    /// <param name="configuration">The whole configuration.</param>
    /// <exception cref="InvalidConfigurationException">The section is invalid; the message names every error.</exception>
    /// <exception cref="InvalidDataException">A file of a key or secret is invalid; the message says why.</exception>
    /// <exception cref="IOException">A file of a key or secret cannot be read or made; the message says why.</exception>
    public static IDeviceAuthorizationBuilder AddAdminListener(this IDeviceAuthorizationBuilder gate, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(gate);
        ArgumentNullException.ThrowIfNull(configuration);
        var errors = new ConfigurationErrors();
        AdminOptions options = AdminOptionsReader.Read(configuration, errors);
        errors.ThrowIfAny();
        gate.Services.AddSingleton(AdminOptions.ConfigurationPart);
        return gate.AddAdminListener(options, configuration[HostDefaults.ContentRootKey] ?? Directory.GetCurrentDirectory());
    }

    /// <summary>
    /// The same with options that were already read, for an application that reads its whole configuration at once (
    /// <see cref="GatewayConfiguration"/>) with <see cref="AdminOptions.ConfigurationPart"/> among its parts.
    /// </summary>
    /// <param name="gate">The gate.</param>
    /// <param name="options">The options.</param>
    /// <param name="contentRoot">The base of relative files; absolute.</param>
    /// <exception cref="InvalidDataException">A file of a key or secret is invalid; the message says why.</exception>
    /// <exception cref="IOException">A file of a key or secret cannot be read or made; the message says why.</exception>
    public static IDeviceAuthorizationBuilder AddAdminListener(
        this IDeviceAuthorizationBuilder gate, AdminOptions options, string contentRoot)
    {
        ArgumentNullException.ThrowIfNull(gate);
        ArgumentNullException.ThrowIfNull(options);
        IServiceCollection services = gate.Services;
        AdminKeyRing keys = AdminKeyRing.Load(options, contentRoot);
        services.AddSingleton(options);
        services.TryAddSingleton<AdminListenerSettings>();
        services.AddSingleton(s =>
        {
            keys.Follow(s.GetRequiredService<AdminListenerSettings>());
            return keys;
        });
        services.AddWebhooks(options.Webhooks, contentRoot);
        services.AddHostedService<AdminListener>();
        return gate;
    }
}
