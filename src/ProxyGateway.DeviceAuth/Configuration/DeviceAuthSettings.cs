using System.Collections.Immutable;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;
using ProxyGateway.DeviceAuth.Localities;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// The options as the configuration has them, now and after each reload. A reload is taken as a whole or, if anything is wrong with
/// it, not at all.
/// </summary>
public sealed class DeviceAuthSettings : IDeviceAuthSettings, IDisposable
{
    private readonly IConfiguration _configuration;
    private readonly IOperatingSystemUsers _users;
    private readonly ILogger _logger;
    private readonly IDisposable _subscription;
    private readonly Lock _reloading = new();
    private volatile Snapshot _snapshot;

    /// <summary>Reads the section <c>DeviceAuth</c> and follows its reloads.</summary>
    /// <param name="configuration">The whole configuration.</param>
    /// <param name="users">Who resolves the names of users in rules.</param>
    /// <param name="logger">Where the effective policy, and what is wrong with a reload, go.</param>
    /// <exception cref="InvalidConfigurationException">The section is not valid.</exception>
    public DeviceAuthSettings(IConfiguration configuration, IOperatingSystemUsers users, ILogger<DeviceAuthSettings> logger)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(users);
        ArgumentNullException.ThrowIfNull(logger);
        _configuration = configuration;
        _users = users;
        _logger = logger;

        IChangeToken before = configuration.GetReloadToken();
        var errors = new ConfigurationErrors();
        _snapshot = Read(errors);
        errors.ThrowIfAny();
        Describe(_snapshot);
        LogUnreadableFiles();

        _subscription = ChangeToken.OnChange(configuration.GetReloadToken, Reload);
        if (before.HasChanged) // while it was read
            Reload();
    }

    /// <inheritdoc/>
    public DeviceAuthOptions Current => _snapshot.Options;

    /// <inheritdoc/>
    public void Dispose() => _subscription.Dispose();

    private void Reload()
    {
        lock (_reloading) // each file reloads on a thread of its own
        {
            Snapshot previous = _snapshot;
            var errors = new ConfigurationErrors();
            Snapshot next = Read(errors);
            foreach (IConfigurationProvider layer in previous.Layers.Where(next.All.HasFallenSilent))
            {
                // A file that is being replaced, or has a typing error, reads as empty; the defaults must not slip in for it.
                errors.Add(DeviceAuthOptions.SectionName, $"{layer} had keys of it and is empty now; to do without them, restart.");
            }

            if (errors.All.Count > 0)
            {
                foreach (string error in errors.All)
                    Log.ReloadRefused(_logger, error);
                return;
            }

            _snapshot = next;
            if (next.SaysTheSameAs(previous)) // another section changed
                return;
            Log.Reloaded(_logger);
            Describe(next);
        }
    }

    // A file that cannot be parsed any more announces no reload, so that otherwise nobody would hear of it.
    private void LogUnreadableFiles()
    {
        foreach (FileConfigurationProvider file in _snapshot.All.OfType<FileConfigurationProvider>())
            file.Source.OnLoadException ??= context =>
                Log.ReloadRefused(_logger, $"{context.Provider}: {context.Exception.GetBaseException().Message}");
    }

    private Snapshot Read(ConfigurationErrors errors)
    {
        ConfigurationLayers layers = ConfigurationLayers.Of(_configuration);
        return new Snapshot(DeviceAuthOptionsReader.Read(layers, _users, errors), layers, layers.With(DeviceAuthOptions.SectionName));
    }

    private void Describe(Snapshot snapshot)
    {
        foreach (string line in snapshot.PolicyLines)
            Log.PairingPolicy(_logger, line);
        foreach (AutoApproveRule rule in snapshot.Options.Policy.AutoApprove)
        {
            if (rule.FromAny)
                Log.RuleFromAnywhere(_logger, rule.Name, "any");
            foreach (System.Net.IPNetwork network in rule.FromNetworks.Where(n => n.PrefixLength == 0))
                Log.RuleFromAnywhere(_logger, rule.Name, network.ToString());
            if (rule.Users is not null && !OperatingSystem.IsLinux())
                Log.RuleWithUsersElsewhere(_logger, rule.Name);
            if (rule.FromLoopback && rule.Users is null)
                Log.RuleForAllUsers(_logger, rule.Name);
        }
    }

    private sealed record Snapshot(DeviceAuthOptions Options, ConfigurationLayers All, ImmutableArray<IConfigurationProvider> Layers)
    {
        public IReadOnlyList<string> PolicyLines { get; } = PolicyDescription.Lines(Options.Policy);

        public bool SaysTheSameAs(Snapshot other) =>
            PolicyLines.SequenceEqual(other.PolicyLines, StringComparer.Ordinal)
            && Options.TrustedProxies.SequenceEqual(other.Options.TrustedProxies)
            && Options.AllowedOrigins.SequenceEqual(other.Options.AllowedOrigins, StringComparer.Ordinal)
            && WithoutLists == other.WithoutLists;

        // Records compare their arrays by reference.
        private DeviceAuthOptions WithoutLists => Options with { TrustedProxies = [], AllowedOrigins = [], Policy = PairingPolicy.Default };
    }
}
