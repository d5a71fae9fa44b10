using System.Buffers;
using ProxyGateway.DeviceAuth.Configuration;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.Serving;

/// <summary>Reads <see cref="RegistryOptions"/> from the section <c>Registry</c>.</summary>
internal static class RegistryOptionsReader
{
    private const int LongestKeyPrefix = 64;
    private const int MostAuditEntries = 10_000_000;
    private const int FewestAuditBytes = 1024 * 1024;
    private const int MostReplicas = 100;

    // Braces would make another hash tag, in place of the one that keeps a device's keys together.
    private static readonly SearchValues<char> KeyPrefixCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/-");

    /// <summary>
    /// The section as a part of the whole configuration. It is used at start only, but a reload with an error in it is refused.
    /// </summary>
    public static ConfigurationPart Part { get; } = ConfigurationPart.Of(RegistryOptions.SectionName, Read);

    /// <summary>Reads the section and notes every error; after errors the result must not be used.</summary>
    /// <param name="configuration">The whole configuration.</param>
    /// <param name="errors">The list of errors.</param>
    public static RegistryOptions Read(IConfiguration configuration, ConfigurationErrors errors)
    {
        var section = new SectionReader(configuration, RegistryOptions.SectionName, errors);
        SectionReader sqlite = section.Section("Sqlite");
        SectionReader redis = section.Section("Redis");
        var defaults = new RegistryOptions();
        var options = new RegistryOptions
        {
            Provider = section.Choice("Provider", defaults.Provider),
            AuditEntries = section.Number("AuditEntries", defaults.AuditEntries, new NumberRange(0, MostAuditEntries)),
            AuditBytes = section.Number("AuditBytes", defaults.AuditBytes, new NumberRange(FewestAuditBytes, int.MaxValue)),
            SqlitePath = sqlite.Text("Path", defaults.SqlitePath),
            RedisConfiguration = redis.Value("Configuration") ?? defaults.RedisConfiguration,
            RedisKeyPrefix = redis.Text("KeyPrefix", defaults.RedisKeyPrefix),
            RedisTimeout = redis.Span("Timeout", defaults.RedisTimeout, SpanRange.UpTo(TimeSpan.FromMinutes(1))),
            RedisWaitForReplicas = redis.Number("WaitForReplicas", defaults.RedisWaitForReplicas, new NumberRange(0, MostReplicas)),
        };
        section.Know(FreshnessOptions.KeyNames); // the gate reads and checks these
        if (options.Provider == RegistryProvider.Redis && !redis.Has("Configuration"))
            errors.Add(redis.PathOf("Configuration"), "is missing; with Provider Redis it says which one, as in 127.0.0.1:6379.");
        else if (string.IsNullOrWhiteSpace(options.RedisConfiguration))
            errors.Add(redis.PathOf("Configuration"), "is blank; allowed: where Redis is, as in 127.0.0.1:6379.");
        if (options.RedisKeyPrefix.Length > LongestKeyPrefix || options.RedisKeyPrefix.AsSpan().ContainsAnyExcept(KeyPrefixCharacters))
            errors.AddValue(redis.PathOf("KeyPrefix"), options.RedisKeyPrefix, $"up to {LongestKeyPrefix} of A-Z a-z 0-9 . _ : / -");

        section.ReportUnknownKeys();
        return options;
    }
}
