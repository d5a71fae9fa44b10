using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Configuration;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>
/// Reads typed values from one configuration section. It notes every error instead of the first, and every key that was read, so that
/// <see cref="ReportUnknownKeys"/> finds the others.
/// </summary>
public sealed class SectionReader
{
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF");
    private readonly ConfigurationLayers _layers;
    private readonly Dictionary<string, SectionReader?> _known = new(StringComparer.OrdinalIgnoreCase); // null: a value, not a section

    /// <summary>Reads a section.</summary>
    /// <param name="configuration">The whole configuration: a list is read whole from the topmost layer that has it.</param>
    /// <param name="path">The section's full path.</param>
    /// <param name="errors">The list of errors.</param>
    public SectionReader(IConfiguration configuration, string path, ConfigurationErrors errors)
        : this(ConfigurationLayers.Of(configuration), path, errors)
    {
    }

    internal SectionReader(ConfigurationLayers layers, string path, ConfigurationErrors errors)
    {
        _layers = layers;
        Path = path;
        Errors = errors;
    }

    /// <summary>The section's full path.</summary>
    public string Path { get; }

    /// <summary>The list of errors.</summary>
    public ConfigurationErrors Errors { get; }

    /// <summary>Whether any layer has this section, even an empty one.</summary>
    public bool Exists => _layers.Topmost(Path) is not null;

    /// <summary>The full path of a key in this section.</summary>
    public string PathOf(string name) => ConfigurationPath.Combine(Path, name);

    /// <summary>Whether any layer has this key.</summary>
    public bool Has(string name) => _layers.Topmost(PathOf(name)) is not null;

    /// <summary>A section within this one.</summary>
    public SectionReader Section(string name)
    {
        if (_known.TryGetValue(name, out SectionReader? section) && section is not null)
            return section;

        section = new SectionReader(_layers, PathOf(name), Errors);
        _known[name] = section;
        if (_layers.TryGetValue(section.Path, out string? value) && value is not null)
            // the value is left out, since it may be a misplaced secret
            Errors.Add(section.Path, "is one value; allowed: a section with keys of its own.");
        return section;
    }

    /// <summary>All sections within this one; the layers are merged.</summary>
    public IReadOnlyList<(string Name, SectionReader Section)> Sections() => [.. _layers.ChildNames(Path).Select(n => (n, Section(n)))];

    /// <summary>All named sections within this one; a name is not a number, as a list's elements have.</summary>
    public IReadOnlyList<(string Name, SectionReader Section)> NamedSections()
    {
        foreach (string name in Names().Where(n => !IsProperName(n)))
            Errors.Add(PathOf(name), NoProperName);
        return Sections();
    }

    /// <summary>Whether a text is an exact origin, <c>scheme://host[:port]</c>, with nothing else in it.</summary>
    public static bool IsOrigin(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return OriginNames.TryParse(text, out _);
    }

    /// <summary>Whether this may be the name of a section: a number is the name of a list's element.</summary>
    public static bool IsProperName(string name) => ScopeSet.IsValidName(name) && !ConfigurationLayers.TryParseIndex(name, out _);

    /// <summary>All keys in this section; the layers are merged.</summary>
    public IReadOnlyList<string> Names() => _layers.ChildNames(Path);

    /// <summary>Marks keys of this section as known, which another reader reads.</summary>
    public void Know(ImmutableArray<string> names)
    {
        foreach (string name in names)
            _known.TryAdd(name, null);
    }

    /// <summary>A text; the fallback if it is not configured.</summary>
    public string Text(string name, string fallback)
    {
        Note(name, SettingForm.Text, fallback);
        if (Value(name) is not { } value)
            return fallback;
        if (!string.IsNullOrWhiteSpace(value))
            return value;
        Errors.AddValue(PathOf(name), value, "a text that is not blank");
        return fallback;
    }

    /// <summary>A value of an enumeration, by name; the fallback if it is not configured.</summary>
    public T Choice<T>(string name, T fallback)
        where T : struct, Enum
    {
        Errors.Settings?.Add(new Setting(PathOf(name), SettingForm.Choice, fallback.ToString()) { Choices = [.. Enum.GetNames<T>()] });
        if (Value(name) is not { } value)
            return fallback;
        foreach (T choice in Enum.GetValues<T>())
        {
            if (string.Equals(choice.ToString(), value, StringComparison.OrdinalIgnoreCase))
                return choice;
        }

        Errors.AddValue(PathOf(name), value, string.Join(", ", Enum.GetNames<T>()));
        return fallback;
    }

    /// <summary>True or false; the fallback if it is not configured.</summary>
    public bool Flag(string name, bool fallback)
    {
        Note(name, SettingForm.Flag, fallback);
        if (Value(name) is not { } value)
            return fallback;
        if (bool.TryParse(value, out bool flag))
            return flag;
        Errors.AddValue(PathOf(name), value, "true, false");
        return fallback;
    }

    /// <summary>A whole number in a range; the fallback if it is not configured.</summary>
    public int Number(string name, int fallback, NumberRange range)
    {
        Errors.Settings?.Add(new Setting(PathOf(name), SettingForm.Number, fallback) { Numbers = range });
        if (Value(name) is not { } value)
            return fallback;
        if (int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && range.Contains(number))
            return number;
        Errors.AddValue(PathOf(name), value, range.ToString());
        return fallback;
    }

    /// <summary>A time span in a range, as [d.]hh:mm:ss; the fallback if it is not configured.</summary>
    public TimeSpan Span(string name, TimeSpan fallback, SpanRange range)
    {
        Errors.Settings?.Add(new Setting(PathOf(name), SettingForm.Span, fallback) { Spans = range });
        if (Value(name) is not { } value)
            return fallback;

        // .NET would read a bare number as days, which nobody intends.
        if (value.Contains(':', StringComparison.Ordinal)
            && TimeSpan.TryParseExact(value, "c", CultureInfo.InvariantCulture, out TimeSpan span) && range.Contains(span))
        {
            return span;
        }

        Errors.AddValue(PathOf(name), value, range.ToString());
        return fallback;
    }

    /// <summary>A required SHA-256; empty if it is invalid.</summary>
    /// <param name="name">The key.</param>
    /// <param name="of">The hashed secret, in words.</param>
    public ImmutableArray<byte> Sha256(string name, string of)
    {
        const int digits = 2 * SHA256.HashSizeInBytes;
        Note(name, SettingForm.Sha256);
        if (Value(name) is { Length: digits } text && !text.AsSpan().ContainsAnyExcept(HexDigits))
            return [.. Convert.FromHexString(text)];

        // Without the value: it may be the secret itself.
        Errors.Add(PathOf(name), Has(name)
            ? $"is no SHA-256; allowed: {digits} hexadecimal digits."
            : $"is missing; it is the SHA-256 of {of}, {digits} hexadecimal digits.");
        return [];
    }

    /// <summary>A list of texts, whole from the topmost layer that has it; null if none does, or if it is invalid.</summary>
    public ImmutableArray<string>? List(string name)
    {
        Note(name, SettingForm.List);
        _known[name] = null;
        string path = PathOf(name);
        return _layers.Topmost(path) is { } layer ? List(layer, path) : null;
    }

    /// <summary>Role -> scopes, whole from the topmost layer that has it; null if none does.</summary>
    public ImmutableDictionary<string, ScopeSet>? ScopesByRole(string name)
    {
        Note(name, SettingForm.ScopesByRole);
        _known[name] = null;
        string path = PathOf(name);
        if (_layers.Topmost(path) is not { } layer)
            return null;

        var scopesByRole = ImmutableDictionary.CreateBuilder<string, ScopeSet>(StringComparer.Ordinal);
        IReadOnlyList<string> roles = ConfigurationLayers.ChildNames(layer, path);
        if (roles.Count == 0)
        {
            layer.TryGet(path, out string? value);
            Errors.AddValue(path, value, "at least one role with its scopes, as in { \"operator\": [\"operator.read\"] }");
        }

        foreach (string role in roles)
        {
            string rolePath = ConfigurationPath.Combine(path, role);
            if (!ScopeSet.IsValidName(role))
                Errors.Add(rolePath, $"is no role; allowed: {ScopeNames}.");
            if (List(layer, rolePath) is not { } scopes)
                continue;
            foreach (string scope in scopes.Where(s => !ScopeSet.IsValidName(s)))
                Errors.AddValue(rolePath, scope, $"scopes, each {ScopeNames}");
            scopesByRole[role] = ScopeSet.Of(scopes);
        }

        return scopesByRole.ToImmutable();
    }

    /// <summary>Audiences, whole from the topmost layer that has them; null if none does.</summary>
    public ImmutableSortedSet<Audience>? Audiences(string name)
    {
        Note(name, SettingForm.Audiences);
        if (List(name) is not { } names)
            return null;
        if (names.IsEmpty)
            Errors.Add(PathOf(name), $"is empty; allowed: audiences, each {Audience.Names}, or to leave the key out.");
        var audiences = ImmutableSortedSet.CreateBuilder<Audience>();
        foreach (string text in names)
        {
            if (Audience.TryParse(text, out Audience audience))
                audiences.Add(audience);
            else
                Errors.AddValue(PathOf(name), text, $"audiences, each {Audience.Names}");
        }

        return audiences.ToImmutable();
    }

    /// <summary>The error for a name that is no <see cref="IsProperName"/>.</summary>
    public const string NoProperName = $"has no proper name; allowed: {ScopeNames}, and not a number.";

    /// <summary>The form of a scope or a role, for people.</summary>
    public const string ScopeNames = "1 to 128 of A-Z a-z 0-9 . _ : -";

    /// <summary>Reports every key in this section, and in those within, that was not read. Call it after reading everything.</summary>
    public void ReportUnknownKeys()
    {
        foreach (string name in _layers.ChildNames(Path))
        {
            // Without the value: an unknown key may be a misspelt secret.
            if (!_known.TryGetValue(name, out SectionReader? section))
                Errors.Add(PathOf(name), $"unknown key; allowed here: {string.Join(", ", _known.Keys)}.");
            else
                section?.ReportUnknownKeys();
        }
    }

    /// <summary>The value of a key in the topmost layer that has it; null if none does, or if it is no value.</summary>
    public string? Value(string name)
    {
        Note(name, SettingForm.Text);
        _known[name] = null;
        string path = PathOf(name);
        if (_layers.ChildNames(path).Count > 0)
        {
            Errors.Add(path, "found keys beneath it; allowed: one value.");
            return null;
        }

        if (!_layers.TryGetValue(path, out string? value))
            return null;
        if (value is null)
            Errors.AddValue(path, value, "a value, or to leave the key out");
        return value;
    }

    private void Note(string name, SettingForm form, object? fallback = null) => Errors.Settings?.Add(new Setting(PathOf(name), form, fallback));

    private ImmutableArray<string>? List(IConfigurationProvider layer, string path)
    {
        layer.TryGet(path, out string? whole);
        IReadOnlyList<string> names = ConfigurationLayers.ChildNames(layer, path);
        if (names.Count == 0)
        {
            if (whole == "") // the JSON provider turns [] into this
                return [];
            Errors.AddValue(path, whole, "a list");
            return null;
        }

        var list = ImmutableArray.CreateBuilder<string>(names.Count);
        foreach (string name in names)
        {
            string elementPath = ConfigurationPath.Combine(path, name);
            if (!ConfigurationLayers.TryParseIndex(name, out int index))
                Errors.Add(elementPath, "is no element of a list; allowed: a list.");
            else if (index != list.Count)
                Errors.Add(elementPath, "elements are missing before it; a list is taken whole from the topmost layer that has it, from element 0 on.");
            else if (!layer.TryGet(elementPath, out string? element) || element is null)
                Errors.Add(elementPath, "is no text; allowed: a list of texts.");
            else
            {
                list.Add(element);
                continue;
            }

            return null;
        }

        return list.ToImmutable();
    }
}
