namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// The errors of the configuration. Readers of several sections share one object, so that a start fails once and reports all.
/// </summary>
public sealed class ConfigurationErrors
{
    private const int LongestValue = 100;

    private readonly List<string> _errors = [];
    private readonly HashSet<string> _keys = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The errors so far, one line each.</summary>
    public IReadOnlyList<string> All => _errors;

    /// <summary>Notes an error.</summary>
    /// <param name="key">The full path of the key.</param>
    /// <param name="problem">The error and the allowed values.</param>
    public void Add(string key, string problem)
    {
        _keys.Add(key);
        _errors.Add($"{key}: {problem}");
    }

    /// <summary>Notes an invalid value.</summary>
    /// <param name="key">The full path of the key.</param>
    /// <param name="value">The value found.</param>
    /// <param name="allowed">The allowed values.</param>
    public void AddValue(string key, string? value, string allowed) => Add(key, $"found {Quote(value)}; allowed: {allowed}.");

    /// <summary>If it is to be noted: every key that readers look for, the more precise form first.</summary>
    internal ICollection<Setting>? Settings { get; init; }

    /// <summary>The keys with errors, ignoring case.</summary>
    internal IReadOnlySet<string> Keys => _keys;

    /// <summary>Notes errors of another reader.</summary>
    internal void AddAll(ConfigurationErrors found)
    {
        _errors.AddRange(found._errors);
        _keys.UnionWith(found._keys);
    }

    /// <summary>Throws if there are errors.</summary>
    /// <exception cref="InvalidConfigurationException">There are errors; it has all of them.</exception>
    public void ThrowIfAny()
    {
        if (_errors.Count > 0)
            throw new InvalidConfigurationException([.. _errors]);
    }

    // An error is one line, even if the value has several.
    private static string Quote(string? value)
    {
        if (value is null)
            return "null or {}";
        string line = string.Concat(value.Select(c => char.IsControl(c) ? ' ' : c));
        return line.Length > LongestValue ? $"\"{line[..LongestValue]}...\"" : $"\"{line}\"";
    }
}
