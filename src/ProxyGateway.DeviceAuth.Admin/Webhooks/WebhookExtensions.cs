using System.Collections.Immutable;
using Microsoft.Extensions.DependencyInjection;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin.Webhooks;

/// <summary>Adds webhooks to a gateway.</summary>
public static class WebhookExtensions
{
    /// <summary>Tells these webhooks of what happens at the gateway whose services these are. Nothing is added where there are none.</summary>
    /// <param name="services">The gateway's services.</param>
    /// <param name="webhooks">The webhooks.</param>
    /// <param name="contentRoot">What relative files are relative to.</param>
    /// <exception cref="InvalidDataException">The file of a secret holds none, or others may read it.</exception>
    /// <exception cref="IOException">The file of a secret cannot be read.</exception>
    public static IServiceCollection AddWebhooks(this IServiceCollection services, IReadOnlyCollection<WebhookOptions> webhooks, string contentRoot)
    {
        ArgumentNullException.ThrowIfNull(webhooks);
        if (webhooks.Count == 0)
            return services;
        ImmutableArray<(WebhookOptions Options, ImmutableArray<byte> Secret)> all = [.. webhooks.Select(w => (w, WebhookSecret.Of(w, contentRoot)))];
        services.AddSingleton<WebhookReport>();
        services.AddSingleton(s => new WebhookDispatcher(
            all.Select(w => new Webhook(w.Options, w.Secret, s.GetRequiredService<TimeProvider>(), s.GetRequiredService<WebhookReport>())),
            s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<IAuditListener>(s => s.GetRequiredService<WebhookDispatcher>());
        services.AddHostedService(s => s.GetRequiredService<WebhookDispatcher>());
        return services;
    }
}
