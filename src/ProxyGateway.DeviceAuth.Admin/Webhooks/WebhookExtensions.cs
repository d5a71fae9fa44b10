using System.Collections.Immutable;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using ProxyGateway.DeviceAuth.Diagnostics;
using ProxyGateway.DeviceAuth.Registry.Auditing;

namespace ProxyGateway.DeviceAuth.Admin.Webhooks;

/// <summary>Adds webhooks to a gateway.</summary>
public static class WebhookExtensions
{
    /// <summary>Sends the events of this gateway to these webhooks. Without webhooks it adds nothing.</summary>
    /// <param name="services">The gateway's services.</param>
    /// <param name="webhooks">The webhooks.</param>
    /// <param name="contentRoot">The base of relative files.</param>
    /// <exception cref="InvalidDataException">The file of a secret holds none, or others may read it.</exception>
    /// <exception cref="IOException">The file of a secret cannot be read.</exception>
    public static IServiceCollection AddWebhooks(
        this IServiceCollection services, IReadOnlyCollection<WebhookOptions> webhooks, string contentRoot)
    {
        ArgumentNullException.ThrowIfNull(webhooks);
        if (webhooks.Count == 0)
            return services;
        ImmutableArray<(WebhookOptions Options, ImmutableArray<byte> Secret)> all = [.. webhooks.Select(w => (w, WebhookSecret.Of(w, contentRoot)))];
        foreach (WebhookOptions webhook in webhooks)
            AddClient(services, webhook);
        services.TryAddSingleton<GateTelemetry>();
        services.AddSingleton<WebhookReport>();
        services.AddSingleton(s =>
        {
            WebhookReport report = s.GetRequiredService<WebhookReport>();
            TimeProvider time = s.GetRequiredService<TimeProvider>();
            Webhook[] sending = [.. all.Select(w => new Webhook(
                w.Options, w.Secret, s.GetRequiredService<IHttpClientFactory>().CreateClient(HttpClientName(w.Options.Name)), time, report))];
            report.Observe(sending);
            return new WebhookDispatcher(sending, time);
        });
        services.AddSingleton<IAuditListener>(s => s.GetRequiredService<WebhookDispatcher>());
        services.AddHostedService(s => s.GetRequiredService<WebhookDispatcher>());
        return services;
    }

    /// <summary>
    /// The name of the client that sends to a webhook, for a handler of the application's:
    /// <c>services.AddHttpClient(WebhookExtensions.HttpClientName("chat")).AddHttpMessageHandler(...)</c>.
    /// </summary>
    /// <param name="webhook">The webhook's name.</param>
    public static string HttpClientName(string webhook) => "ProxyGateway.Webhook." + webhook;

    private static void AddClient(IServiceCollection services, WebhookOptions webhook) => services
        .AddHttpClient(HttpClientName(webhook.Name), client => client.Timeout = Timeout.InfiniteTimeSpan) // an attempt has a time-out of its own
        .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // the configured address, and no other
            UseCookies = false,
            UseProxy = !webhook.Url.IsLoopback,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        })
        .SetHandlerLifetime(Timeout.InfiniteTimeSpan) // a webhook keeps its client, whose connections are renewed
        .RemoveAllLoggers(); // they would write the address, which may hold a token
}
