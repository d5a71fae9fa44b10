using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Configuration;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// The operators' part of the configuration. A reload applies <see cref="AdminOptions.Keys"/> and <see cref="AdminOptions.KeyFile"/> at
/// once; the rest applies at the next start, and the log says so.
/// </summary>
internal sealed class AdminListenerSettings
{
    private readonly GatewayConfiguration _configuration;
    private readonly ILogger _logger;

    public AdminListenerSettings(GatewayConfiguration configuration, ILogger<AdminListenerSettings> logger)
    {
        _configuration = configuration;
        _logger = logger;
        configuration.Taken += (previous, next) => OnTaken(previous.Get<AdminOptions>(), next.Get<AdminOptions>());
    }

    /// <summary>The options in force now.</summary>
    public AdminOptions Current => _configuration.Current.Get<AdminOptions>();

    private static string Text(WebhookOptions webhook) =>
        $"{webhook.Name} {webhook.Url} {webhook.SecretFile} {Convert.ToHexString(webhook.Secret.AsSpan())} {string.Join(' ', webhook.Events)}";

    private void OnTaken(AdminOptions previous, AdminOptions next)
    {
        if (next.Url != previous.Url)
            AdminLog.StartOnly(_logger, AdminOptions.SectionName + ":" + nameof(AdminOptions.Url));
        if (next.Socket != previous.Socket)
            AdminLog.StartOnly(_logger, AdminOptions.SectionName + ":" + nameof(AdminOptions.Socket));
        if (!next.Webhooks.Select(Text).SequenceEqual(previous.Webhooks.Select(Text)))
            AdminLog.StartOnly(_logger, AdminOptions.SectionName + ":" + nameof(AdminOptions.Webhooks));
    }
}
