using System.Collections;
using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>An immutable set of roles in audiences: sorted, without repetitions, equal by content.</summary>
[JsonConverter(typeof(GrantKeySetJsonConverter))]
public sealed class GrantKeySet : IReadOnlyCollection<GrantKey>, IEquatable<GrantKeySet>
{
    private readonly ImmutableSortedSet<GrantKey> _keys;

    private GrantKeySet(ImmutableSortedSet<GrantKey> keys) => _keys = keys;

    /// <summary>No role.</summary>
    public static GrantKeySet Empty { get; } = new([]);

    /// <inheritdoc/>
    public int Count => _keys.Count;

    /// <summary>The set of these, in any order and with repetitions.</summary>
    public static GrantKeySet Of(params IEnumerable<GrantKey> keys)
    {
        ImmutableSortedSet<GrantKey> set = [.. keys];
        return set.IsEmpty ? Empty : new GrantKeySet(set);
    }

    /// <summary>Whether the role in the audience is one of these.</summary>
    public bool Contains(GrantKey key) => _keys.Contains(key);

    /// <inheritdoc/>
    public bool Equals(GrantKeySet? other) => other is not null && _keys.SequenceEqual(other._keys);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as GrantKeySet);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (GrantKey key in _keys)
            hash.Add(key);
        return hash.ToHashCode();
    }

    /// <inheritdoc/>
    public IEnumerator<GrantKey> GetEnumerator() => ((IEnumerable<GrantKey>)_keys).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The roles, separated by blanks; for people and logs.</summary>
    public override string ToString() => string.Join(' ', _keys);

    /// <summary>Reads and writes the set, as an array of strings; throws <see cref="JsonException"/> for anything else.</summary>
    public sealed class GrantKeySetJsonConverter : JsonConverter<GrantKeySet>
    {
        private static readonly GrantKey.GrantKeyJsonConverter One = new();

        /// <inheritdoc/>
        public override GrantKeySet Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType != JsonTokenType.StartArray)
                throw new JsonException("Roles are an array of strings.");
            var keys = new List<GrantKey>();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                keys.Add(One.Read(ref reader, typeof(GrantKey), options));
            return Of(keys);
        }

        /// <inheritdoc/>
        public override void Write(Utf8JsonWriter writer, GrantKeySet value, JsonSerializerOptions options)
        {
            writer.WriteStartArray();
            foreach (GrantKey key in value)
                One.Write(writer, key, options);
            writer.WriteEndArray();
        }
    }
}
