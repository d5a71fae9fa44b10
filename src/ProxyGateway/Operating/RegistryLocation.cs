using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Redis;
using ProxyGateway.DeviceAuth.Registry;
using ProxyGateway.DeviceAuth.Sqlite;
using ProxyGateway.Serving;

namespace ProxyGateway.Operating;

/// <summary>
/// A registry that a command names: <c>sqlite[:file]</c> or <c>redis[:configuration]</c>. The configuration gives the rest.
/// </summary>
internal sealed class RegistryLocation
{
    // A batch of documents may wait for the disk longer than a handshake would.
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    private readonly RegistryProvider _provider;
    private readonly RegistryOptions _options;

    private RegistryLocation(RegistryProvider provider, RegistryOptions options)
    {
        _provider = provider;
        _options = options;
    }

    /// <exception cref="CommandFailedException">It names no registry, or the configuration is invalid.</exception>
    public static RegistryLocation Parse(string text)
    {
        string[] parts = text.Split(':', 2);
        string? given = parts is [_, { Length: > 0 } rest] ? rest : null;
        var errors = new ConfigurationErrors();
        RegistryOptions configured = RegistryOptionsReader.Read(AdminSettings.Configuration(), errors);
        if (errors.All.Count > 0)
            throw new CommandFailedException(ExitCodes.Refused, string.Join(' ', errors.All));
        return parts[0] switch
        {
            "sqlite" => new RegistryLocation(RegistryProvider.Sqlite, configured with { SqlitePath = given ?? configured.SqlitePath }),
            "redis" => new RegistryLocation(RegistryProvider.Redis, configured with { RedisConfiguration = given ?? configured.RedisConfiguration }),
            _ => throw new CommandFailedException(ExitCodes.Usage, $"'{parts[0]}' is no kind of registry: sqlite:data/registry.db or redis:127.0.0.1:6379"),
        };
    }

    /// <summary>Opens it, and checks that it answers.</summary>
    /// <exception cref="RegistryUnavailableException">It cannot be used, or is in use.</exception>
    public async Task<ICopyableDeviceStore> OpenAsync(bool mustExist, CancellationToken cancellationToken)
    {
        if (mustExist && _provider == RegistryProvider.Sqlite && !File.Exists(_options.SqlitePath))
            throw new RegistryUnavailableException($"There is no registry {Path.GetFullPath(_options.SqlitePath)}");
        ICopyableDeviceStore store = Open();
        try
        {
            await store.PingAsync(cancellationToken);
            return store;
        }
        catch (RegistryUnavailableException e)
        {
            await store.DisposeAsync();
            throw new RegistryUnavailableException($"{this} cannot be used. {e.Message}", e);
        }
    }

    /// <summary>For people, without a password.</summary>
    public override string ToString() => _provider == RegistryProvider.Sqlite
        ? $"the file {_options.SqlitePath}"
        : $"Redis at {_options.RedisConfiguration.Split(',').FirstOrDefault(part => !part.Contains('=', StringComparison.Ordinal))}";

    private ICopyableDeviceStore Open()
    {
        if (_provider == RegistryProvider.Sqlite)
            return SqliteDeviceStore.Open(new SqliteStoreOptions { Path = _options.SqlitePath }, TimeProvider.System);
        var options = new RedisStoreOptions { Configuration = _options.RedisConfiguration, KeyPrefix = _options.RedisKeyPrefix, Timeout = Timeout };
        try
        {
            return new RedisDeviceStore(options, NullLogger<RedisDeviceStore>.Instance);
        }
        catch (ArgumentException e)
        {
            throw new CommandFailedException(ExitCodes.Usage, e.Message);
        }
    }
}
