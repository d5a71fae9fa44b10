using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>
/// The id of a pairing request: 26 characters, of which the first ten are the time (so that ids sort by age) and the other sixteen
/// are 80 random bits (so that they cannot be guessed).
/// </summary>
[JsonConverter(typeof(RequestIdJsonConverter))]
public readonly record struct RequestId
{
    private const int Length = 26;
    private const int TimeLength = 10;
    private const string Digits = "0123456789abcdefghjkmnpqrstvwxyz"; // Crockford's base 32: no two letters look alike
    private static readonly SearchValues<char> ValidDigits = SearchValues.Create(Digits);

    private readonly string? _value;

    private RequestId(string value) => _value = value;

    /// <summary>A new id for a request that is made at this time.</summary>
    public static RequestId New(DateTimeOffset now)
    {
        Span<byte> random = stackalloc byte[Length - TimeLength];
        RandomNumberGenerator.Fill(random);
        Span<char> text = stackalloc char[Length];
        long time = now.ToUnixTimeMilliseconds();
        for (int i = TimeLength - 1; i >= 0; i--, time >>= 5)
        {
            text[i] = Digits[(int)(time & 31)];
        }

        for (int i = 0; i < random.Length; i++)
        {
            text[TimeLength + i] = Digits[random[i] & 31];
        }

        return new RequestId(new string(text));
    }

    /// <summary>When the request was made: the time that went into its id, to the millisecond.</summary>
    public DateTimeOffset CreatedAt
    {
        get
        {
            long time = 0;
            foreach (char digit in ToString().AsSpan(0, TimeLength))
            {
                time = (time << 5) | (uint)Digits.IndexOf(digit, StringComparison.Ordinal);
            }

            return DateTimeOffset.FromUnixTimeMilliseconds(time);
        }
    }

    /// <summary>Reads an id; false for anything that <see cref="New"/> cannot have made.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out RequestId id)
    {
        bool valid = text is { Length: Length } && !text.AsSpan().ContainsAnyExcept(ValidDigits);
        id = valid ? new RequestId(text!) : default;
        return valid;
    }

    /// <summary>Reads a valid id.</summary>
    /// <exception cref="FormatException">The text is not a request id.</exception>
    public static RequestId Parse(string text) => TryParse(text, out RequestId id) ? id : throw new FormatException("Not a request id.");

    /// <inheritdoc/>
    public override string ToString() => _value ?? throw new InvalidOperationException("The request id was never set.");

    /// <summary>Reads and writes a request id, as a string; throws <see cref="JsonException"/> for any other text.</summary>
    public sealed class RequestIdJsonConverter : JsonConverter<RequestId>
    {
        /// <inheritdoc/>
        public override RequestId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TryParse(reader.GetString(), out RequestId id) ? id : throw new JsonException("Not a request id.");

        /// <inheritdoc/>
        public override void Write(Utf8JsonWriter writer, RequestId value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToString());
    }
}
