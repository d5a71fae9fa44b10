using System.Collections.Immutable;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// The configuration in force. All parts are read, all are checked, and one reference is published: a reload is applied whole or not at
/// all. Half a reload could be a new route without its new policy.
/// </summary>
public sealed class GatewayConfiguration : IDisposable
{
    private readonly IConfiguration _configuration;
    private readonly ImmutableArray<ConfigurationPart> _parts;
    private readonly IChangeToken _asRead;
    private readonly Lock _reloading = new();
    private volatile ConfigurationSnapshot _current;
    private IDisposable? _subscription;

    private GatewayConfiguration(IConfiguration configuration, ImmutableArray<ConfigurationPart> parts, ConfigurationErrors errors)
    {
        _configuration = configuration;
        _parts = parts;
        _asRead = configuration.GetReloadToken();
        _current = ConfigurationSnapshot.Read(configuration, parts, previous: null, (_, found) => errors.AddAll(found));
    }

    /// <summary>
    /// Raised with the previous and the new snapshot after every reload that was applied. Calls do not overlap; handlers must not block.
    /// </summary>
    public event Action<ConfigurationSnapshot, ConfigurationSnapshot>? Taken;

    /// <summary>The snapshot in force. For a decision that needs several parts, read this once.</summary>
    public ConfigurationSnapshot Current => _current;

    /// <summary>Reads the configuration. After errors it must not be used.</summary>
    /// <param name="configuration">The whole configuration.</param>
    /// <param name="parts">The parts to read.</param>
    /// <param name="errors">The list of errors.</param>
    public static GatewayConfiguration Read(IConfiguration configuration, IEnumerable<ConfigurationPart> parts, ConfigurationErrors errors) =>
        new(configuration, [.. parts], errors);

    /// <summary>Reads the configuration and follows its reloads.</summary>
    /// <exception cref="InvalidConfigurationException">It is not valid.</exception>
    internal static GatewayConfiguration Start(
        IConfiguration configuration, IEnumerable<ConfigurationPart> parts, ILogger<GatewayConfiguration> logger)
    {
        var errors = new ConfigurationErrors();
        GatewayConfiguration read = Read(configuration, parts, errors);
        errors.ThrowIfAny();
        return read.Follow(logger);
    }

    /// <summary>From now on reloads are applied, also one that came since the configuration was read. To be called once.</summary>
    /// <param name="logger">The log of refused reloads.</param>
    public GatewayConfiguration Follow(ILogger<GatewayConfiguration> logger)
    {
        // A file that can no longer be parsed triggers no reload, so the load error itself must be logged.
        foreach (FileConfigurationProvider file in _current.Layers.OfType<FileConfigurationProvider>())
            file.Source.OnLoadException ??= context =>
                Log.ReloadRefused(logger, $"{context.Provider}: {context.Exception.GetBaseException().Message}");

        _subscription = ChangeToken.OnChange(_configuration.GetReloadToken, Reload, logger);
        if (_asRead.HasChanged)
            Reload(logger);
        return this;
    }

    /// <inheritdoc/>
    public void Dispose() => _subscription?.Dispose();

    private void Reload(ILogger logger)
    {
        lock (_reloading) // each file reloads on a thread of its own
        {
            var errors = new List<(ConfigurationPart Part, IReadOnlyList<string> Errors)>();
            ConfigurationSnapshot previous = _current;
            ConfigurationSnapshot next;
            try
            {
                next = ConfigurationSnapshot.Read(_configuration, _parts, previous, (part, found) => errors.Add((part, found.All)));
            }
            catch (Exception e)
            {
                // no caller would receive an exception
                Log.ReloadRefused(logger, $"reading it failed ({e.GetType().Name}): {e.Message.ReplaceLineEndings(" ")}");
                return;
            }

            if (errors.Exists(e => e.Errors.Count > 0))
            {
                LogRefused(logger, errors);
                return;
            }

            _current = next;
            foreach (Action<ConfigurationSnapshot, ConfigurationSnapshot> handler in Delegate.EnumerateInvocationList(Taken))
            {
                try
                {
                    handler(previous, next);
                }
                catch (Exception e)
                {
                    Log.ReloadFailed(logger, e); // the other handlers must still be called: one of them rechecks the sessions
                }
            }
        }
    }

    // Each kind of log message says that its parts were refused, even if the error is in another part: an operator may look for one kind
    // only.
    private static void LogRefused(ILogger logger, IEnumerable<(ConfigurationPart Part, IReadOnlyList<string> Errors)> errors)
    {
        foreach (var kind in errors.GroupBy(e => e.Part.LogRefused))
        {
            string inOrder = $"{kind.First().Part.Section}: is in order, but not the rest of the configuration, and a reload is taken as a whole.";
            foreach (string error in kind.SelectMany(e => e.Errors).DefaultIfEmpty(inOrder))
                kind.Key(logger, error);
        }
    }
}
