using System.Buffers;
using System.Collections;
using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>An immutable set of scopes: sorted, without repetitions, equal by content.</summary>
[JsonConverter(typeof(ScopeSetJsonConverter))]
public sealed class ScopeSet : IReadOnlyList<string>, IEquatable<ScopeSet>
{
    /// <summary>The maximum length of a scope or a role, in characters.</summary>
    public const int MaxNameLength = 128;

    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");

    private readonly ImmutableArray<string> _scopes;

    private ScopeSet(ImmutableArray<string> scopes) => _scopes = scopes;

    /// <summary>No scopes.</summary>
    public static ScopeSet Empty { get; } = new([]);

    /// <inheritdoc/>
    public int Count => _scopes.Length;

    /// <inheritdoc/>
    public string this[int index] => _scopes[index];

    /// <summary>The set of these scopes, in any order and with repetitions.</summary>
    public static ScopeSet Of(params IEnumerable<string> scopes)
    {
        string[] sorted = [.. scopes];
        Array.Sort(sorted, StringComparer.Ordinal);
        int count = 0;
        foreach (string scope in sorted)
        {
            if (count == 0 || scope != sorted[count - 1])
            {
                sorted[count++] = scope;
            }
        }

        Array.Resize(ref sorted, count); // no copy if nothing was repeated
        return count == 0 ? Empty : new ScopeSet(ImmutableCollectionsMarshal.AsImmutableArray(sorted));
    }

    /// <summary>
    /// Whether the text may name a scope or a role: 1 to 128 of <c>A-Z a-z 0-9 . _ : -</c>. Not <c>.</c> and <c>..</c>: in a path they are
    /// steps (RFC 3986 §5.2.4), so revoking a role of that name would remove the device.
    /// </summary>
    public static bool IsValidName(ReadOnlySpan<char> name) =>
        name.Length is > 0 and <= MaxNameLength && !name.ContainsAnyExcept(NameCharacters) && name is not ("." or "..");

    /// <summary>The size of the scopes in JSON in bytes, each with its quotes and a comma.</summary>
    internal int Bytes
    {
        get
        {
            int bytes = 0;
            foreach (string scope in _scopes)
                bytes += RuleBounds.SizeOf(scope);
            return bytes;
        }
    }

    /// <summary>Whether the scope is one of these; a binary search.</summary>
    public bool Contains(string scope) => _scopes.AsSpan().BinarySearch(scope, StringComparer.Ordinal) >= 0;

    /// <summary>These scopes and the others.</summary>
    public ScopeSet Union(ScopeSet other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Of(_scopes.Concat(other._scopes));
    }

    /// <summary>These scopes without the others.</summary>
    public ScopeSet Without(params IEnumerable<string> others)
    {
        var left = new HashSet<string>(_scopes, StringComparer.Ordinal);
        left.ExceptWith(others);
        return left.Count == Count ? this : Of(left);
    }

    /// <inheritdoc/>
    public bool Equals(ScopeSet? other) => other is not null && _scopes.AsSpan().SequenceEqual(other._scopes.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ScopeSet);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (string scope in _scopes)
        {
            hash.Add(scope, StringComparer.Ordinal);
        }

        return hash.ToHashCode();
    }

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator() => ((IEnumerable<string>)_scopes).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The scopes, separated by blanks; for people and logs.</summary>
    public override string ToString() => string.Join(' ', _scopes);

    /// <summary>Reads and writes scopes, as an array of strings; throws <see cref="JsonException"/> for anything else.</summary>
    public sealed class ScopeSetJsonConverter : JsonConverter<ScopeSet>
    {
        /// <inheritdoc/>
        public override ScopeSet Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType != JsonTokenType.StartArray)
            {
                throw new JsonException("Scopes are an array of strings.");
            }

            var scopes = new List<string>();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                string? scope = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
                if (!IsValidName(scope))
                {
                    throw new JsonException("A scope is 1 to 128 of the characters A-Z a-z 0-9 . _ : -");
                }

                scopes.Add(scope!);
            }

            return Of(scopes);
        }

        /// <inheritdoc/>
        public override void Write(Utf8JsonWriter writer, ScopeSet value, JsonSerializerOptions options)
        {
            writer.WriteStartArray();
            foreach (string scope in value)
            {
                writer.WriteStringValue(scope);
            }

            writer.WriteEndArray();
        }
    }
}
