namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>What is wrong with the configuration. Readers of several sections share one, so that a start fails once and says all.</summary>
public sealed class ConfigurationErrors
{
    private const int LongestValue = 100;

    private readonly List<string> _errors = [];
    private readonly HashSet<string> _keys = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The errors so far, one line each.</summary>
    public IReadOnlyList<string> All => _errors;

    /// <summary>Notes an error.</summary>
    /// <param name="key">The full path of the key.</param>
    /// <param name="problem">What is wrong and what is allowed.</param>
    public void Add(string key, string problem)
    {
        _keys.Add(key);
        _errors.Add($"{key}: {problem}");
    }

    /// <summary>Notes a value that is not allowed.</summary>
    /// <param name="key">The full path of the key.</param>
    /// <param name="value">The value found.</param>
    /// <param name="allowed">What is allowed.</param>
    public void AddValue(string key, string? value, string allowed) => Add(key, $"found {Quote(value)}; allowed: {allowed}.");

    /// <summary>The keys with which something is wrong, ignoring case.</summary>
    internal IReadOnlySet<string> Keys => _keys;

    /// <summary>Notes errors that were found elsewhere.</summary>
    internal void AddAll(ConfigurationErrors found)
    {
        _errors.AddRange(found._errors);
        _keys.UnionWith(found._keys);
    }

    /// <summary>Throws if anything is wrong.</summary>
    /// <exception cref="InvalidConfigurationException">There are errors; it has all of them.</exception>
    public void ThrowIfAny()
    {
        if (_errors.Count > 0)
            throw new InvalidConfigurationException([.. _errors]);
    }

    // An error is one line, whatever the value.
    private static string Quote(string? value)
    {
        if (value is null)
            return "null or {}";
        string line = string.Concat(value.Select(c => char.IsControl(c) ? ' ' : c));
        return line.Length > LongestValue ? $"\"{line[..LongestValue]}...\"" : $"\"{line}\"";
    }
}
