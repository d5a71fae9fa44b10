using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>
/// Which agent a grant, a request or a session is for: the name in a route's metadata <c>DeviceAuth.Audience</c>. Whatever is approved in one audience
/// says nothing about another. The value of an unset audience is <see cref="Default"/>.
/// </summary>
[JsonConverter(typeof(AudienceJsonConverter))]
public readonly record struct Audience : IComparable<Audience>
{
    /// <summary>The maximum length of a name, in characters.</summary>
    public const int MaxLength = 64;

    /// <summary>The allowed names, for people.</summary>
    public const string Names = "1 to 64 of a-z 0-9 . _ -, and a letter or digit first";

    private const string DefaultName = "default";

    private static readonly SearchValues<char> First = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789");
    private static readonly SearchValues<char> Characters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789._-");

    private readonly string? _name; // null: the default one, so that each audience has one value

    private Audience(string? name) => _name = name;

    /// <summary>The audience <c>default</c>: of routes that name none, and of all that was stored before there were audiences.</summary>
    public static Audience Default => default;

    /// <summary>Whether it is <see cref="Default"/>.</summary>
    public bool IsDefault => _name is null;

    /// <summary>Reads a name; false for anything but 1 to 64 of <c>a-z 0-9 . _ -</c> that begin with a letter or digit.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Audience audience)
    {
        bool valid = text is { Length: > 0 and <= MaxLength } && First.Contains(text[0]) && !text.AsSpan().ContainsAnyExcept(Characters);
        audience = valid && text != DefaultName ? new Audience(text) : default;
        return valid;
    }

    /// <summary>Reads a valid name.</summary>
    /// <exception cref="FormatException">The text is no audience.</exception>
    public static Audience Parse(string text) => TryParse(text, out Audience audience) ? audience : throw new FormatException($"Not an audience: {Names}.");

    /// <summary>Before the others comes the default one; then they are ordered by name.</summary>
    public int CompareTo(Audience other) => string.CompareOrdinal(_name, other._name);

    /// <summary>The name.</summary>
    public override string ToString() => _name ?? DefaultName;

    /// <summary>Whether the first comes before the second.</summary>
    public static bool operator <(Audience left, Audience right) => left.CompareTo(right) < 0;

    /// <summary>Whether the first comes before the second, or is the second.</summary>
    public static bool operator <=(Audience left, Audience right) => left.CompareTo(right) <= 0;

    /// <summary>Whether the first comes after the second.</summary>
    public static bool operator >(Audience left, Audience right) => left.CompareTo(right) > 0;

    /// <summary>Whether the first comes after the second, or is the second.</summary>
    public static bool operator >=(Audience left, Audience right) => left.CompareTo(right) >= 0;

    /// <summary>Reads and writes an audience, as a string; throws <see cref="JsonException"/> for any other text.</summary>
    public sealed class AudienceJsonConverter : JsonConverter<Audience>
    {
        /// <inheritdoc/>
        public override Audience Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && TryParse(reader.GetString(), out Audience audience) ? audience : throw new JsonException($"An audience is {Names}.");

        /// <inheritdoc/>
        public override void Write(Utf8JsonWriter writer, Audience value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}
