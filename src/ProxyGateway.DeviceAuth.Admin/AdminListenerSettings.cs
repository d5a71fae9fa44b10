using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using ProxyGateway.DeviceAuth.Admin.Webhooks;
using ProxyGateway.DeviceAuth.Configuration;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// The section <c>Admin</c> as the configuration has it, now and after each reload. A reload is taken as a whole or, if anything is wrong
/// with it, not at all. Of what is taken, <see cref="AdminOptions.Keys"/> and <see cref="AdminOptions.KeyFile"/> count at once, and the rest at
/// the next start.
/// </summary>
public sealed class AdminListenerSettings : IDisposable
{
    private readonly ILogger _logger;
    private readonly FollowedSection<AdminOptions> _section;

    /// <summary>Reads the section and follows its reloads.</summary>
    /// <param name="configuration">The whole configuration.</param>
    /// <param name="logger">Where what is wrong with a reload goes.</param>
    /// <param name="others">What else must hold for a reload to be taken; null: nothing.</param>
    /// <exception cref="InvalidConfigurationException">The section is not valid.</exception>
    public AdminListenerSettings(IConfiguration configuration, ILogger<AdminListenerSettings> logger, IReloadCheck? others = null)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(logger);
        _logger = logger;
        _section = new FollowedSection<AdminOptions>(configuration, AdminOptions.SectionName, AdminOptionsReader.Read, Reloaded, others, logger);
    }

    /// <summary>What the section says now.</summary>
    public AdminOptions Current => _section.Current;

    /// <inheritdoc/>
    public void Dispose() => _section.Dispose();

    private static string Text(WebhookOptions webhook) =>
        $"{webhook.Name} {webhook.Url} {webhook.SecretFile} {Convert.ToHexString(webhook.Secret.AsSpan())} {string.Join(' ', webhook.Events)}";

    private void Reloaded(AdminOptions previous, AdminOptions next)
    {
        if (next.Url != previous.Url)
            Log.StartOnly(_logger, AdminOptions.SectionName + ":" + nameof(AdminOptions.Url));
        if (next.Socket != previous.Socket)
            Log.StartOnly(_logger, AdminOptions.SectionName + ":" + nameof(AdminOptions.Socket));
        if (!next.Webhooks.Select(Text).SequenceEqual(previous.Webhooks.Select(Text)))
            Log.StartOnly(_logger, AdminOptions.SectionName + ":" + nameof(AdminOptions.Webhooks));
    }
}
