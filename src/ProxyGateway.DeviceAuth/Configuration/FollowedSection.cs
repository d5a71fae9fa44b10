using System.Collections.Immutable;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// One section as the configuration has it, now and after each reload. A reload of it is taken as a whole or, if anything is wrong with it,
/// not at all.
/// </summary>
/// <typeparam name="T">What the section is read into.</typeparam>
internal sealed class FollowedSection<T> : IDisposable
    where T : class
{
    private readonly IConfiguration _configuration;
    private readonly string _name;
    private readonly Func<IConfiguration, ConfigurationErrors, T> _read;
    private readonly Action<T, T> _reloaded;
    private readonly IReloadCheck? _others;
    private readonly ILogger _logger;
    private readonly IDisposable _subscription;
    private readonly Lock _reloading = new();
    private volatile Snapshot _snapshot;

    /// <summary>Reads the section and follows its reloads.</summary>
    /// <param name="configuration">The whole configuration.</param>
    /// <param name="name">The section.</param>
    /// <param name="read">Reads it, and notes what is wrong with it.</param>
    /// <param name="reloaded">Hears what it said before and what it says now, after each reload of any section that was taken; one at a time.</param>
    /// <param name="others">What else must hold for a reload to be taken; null: nothing.</param>
    /// <param name="logger">Where what is wrong with a reload goes.</param>
    /// <exception cref="InvalidConfigurationException">The section is not valid.</exception>
    public FollowedSection(
        IConfiguration configuration,
        string name,
        Func<IConfiguration, ConfigurationErrors, T> read,
        Action<T, T> reloaded,
        IReloadCheck? others,
        ILogger logger)
    {
        _configuration = configuration;
        _name = name;
        _read = read;
        _reloaded = reloaded;
        _others = others;
        _logger = logger;

        IChangeToken before = configuration.GetReloadToken();
        var errors = new ConfigurationErrors();
        _snapshot = Read(errors);
        errors.ThrowIfAny();
        LogUnreadableFiles();

        _subscription = ChangeToken.OnChange(configuration.GetReloadToken, Reload);
        if (before.HasChanged) // while it was read
            Reload();
    }

    public T Current => _snapshot.Value;

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
                errors.Add(_name, $"{layer} had keys of it and is empty now; to do without them, restart.");
            }

            if (errors.All.Count == 0 && _others?.IsValid(_configuration, except: _name) == false)
                errors.Add(_name, "is in order, but not the rest of the configuration, and a reload is taken as a whole.");
            if (errors.All.Count > 0)
            {
                foreach (string error in errors.All)
                    Log.ReloadRefused(_logger, error);
                return;
            }

            _snapshot = next;
            _reloaded(previous.Value, next.Value);
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
        return new Snapshot(_read(_configuration, errors), layers, layers.With(_name));
    }

    private sealed record Snapshot(T Value, ConfigurationLayers All, ImmutableArray<IConfigurationProvider> Layers);
}
