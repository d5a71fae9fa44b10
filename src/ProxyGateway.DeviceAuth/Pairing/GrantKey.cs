using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>
/// What a grant is for: a role in an audience. As text it is <c>role</c> in the audience <c>default</c> and <c>audience/role</c> in any other; no role
/// has a slash. There is no conversion from a role: code that looks a grant up must say of which audience.
/// </summary>
/// <param name="Audience">The audience.</param>
/// <param name="Role">The role.</param>
[JsonConverter(typeof(GrantKeyJsonConverter))]
public readonly record struct GrantKey(Audience Audience, string Role) : IComparable<GrantKey>
{
    private const char Separator = '/';

    /// <summary>How many characters the text has.</summary>
    internal int Length => Role.Length + (Audience.IsDefault ? 0 : Audience.ToString().Length + 1);

    /// <summary>Reads a key; false if it has no valid role or audience. <c>default/role</c> is not valid: each key has one text.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out GrantKey key)
    {
        key = default;
        return text is not null && TrySplit(text, out key) && ScopeSet.IsValidName(key.Role);
    }

    /// <summary>The grants of the audience <c>default</c> come first, then those of the others by name; within each they are ordered by role.</summary>
    public int CompareTo(GrantKey other) =>
        Audience.CompareTo(other.Audience) is var order && order != 0 ? order : string.CompareOrdinal(Role, other.Role);

    /// <inheritdoc/>
    public override string ToString() => Audience.IsDefault ? Role : $"{Audience}{Separator}{Role}";

    /// <summary>Whether the first comes before the second.</summary>
    public static bool operator <(GrantKey left, GrantKey right) => left.CompareTo(right) < 0;

    /// <summary>Whether the first comes before the second, or is the second.</summary>
    public static bool operator <=(GrantKey left, GrantKey right) => left.CompareTo(right) <= 0;

    /// <summary>Whether the first comes after the second.</summary>
    public static bool operator >(GrantKey left, GrantKey right) => left.CompareTo(right) > 0;

    /// <summary>Whether the first comes after the second, or is the second.</summary>
    public static bool operator >=(GrantKey left, GrantKey right) => left.CompareTo(right) >= 0;

    private static bool TrySplit(string text, out GrantKey key)
    {
        int slash = text.IndexOf(Separator, StringComparison.Ordinal);
        if (slash < 0)
        {
            key = new GrantKey(Audience.Default, text);
            return true;
        }

        bool valid = Audience.TryParse(text[..slash], out Audience audience) && !audience.IsDefault && ScopeSet.IsValidName(text.AsSpan(slash + 1));
        key = valid ? new GrantKey(audience, text[(slash + 1)..]) : default;
        return valid;
    }

    /// <summary>
    /// Reads and writes a key, as a string or a member's name; throws <see cref="JsonException"/> for any other text. A role alone is not checked: older
    /// versions allowed other names.
    /// </summary>
    public sealed class GrantKeyJsonConverter : JsonConverter<GrantKey>
    {
        /// <inheritdoc/>
        public override GrantKey Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && TryParse(reader.GetString(), out GrantKey key) ? key : throw Invalid();

        /// <inheritdoc/>
        public override GrantKey ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TrySplit(reader.GetString()!, out GrantKey key) ? key : throw Invalid();

        /// <inheritdoc/>
        public override void Write(Utf8JsonWriter writer, GrantKey value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());

        /// <inheritdoc/>
        public override void WriteAsPropertyName(Utf8JsonWriter writer, GrantKey value, JsonSerializerOptions options) =>
            writer.WritePropertyName(value.ToString());

        private static JsonException Invalid() => new("A role of an audience is role, or audience/role for any audience but default.");
    }
}
