using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>The identity of a device: the lower-case hexadecimal SHA-256 of its raw public key, 64 characters.</summary>
[JsonConverter(typeof(DeviceIdJsonConverter))]
public readonly record struct DeviceId
{
    /// <summary>How many characters an id has.</summary>
    public const int Length = 64;

    /// <summary>How many digits of an id its fingerprint has: 80 bits.</summary>
    public const int FingerprintDigits = 20;

    private const int FingerprintGroup = 4;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    private readonly string? _value;

    private DeviceId(string value) => _value = value;

    /// <summary>The id of the device that holds this key.</summary>
    /// <param name="publicKey">The raw key, 32 bytes.</param>
    public static DeviceId Of(ReadOnlySpan<byte> publicKey)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(publicKey, hash);
        return new DeviceId(Convert.ToHexStringLower(hash));
    }

    /// <summary>Reads an id; false for anything but 64 lower-case hexadecimal digits.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out DeviceId id)
    {
        bool valid = text is { Length: Length } && !text.AsSpan().ContainsAnyExcept(HexDigits);
        id = valid ? new DeviceId(text!) : default;
        return valid;
    }

    /// <summary>Reads a valid id.</summary>
    /// <exception cref="FormatException">The text is not a device id.</exception>
    public static DeviceId Parse(string text) => TryParse(text, out DeviceId id) ? id : throw new FormatException("Not a device id.");

    /// <summary>
    /// The part of the id that people compare: the first 80 bits, as in <c>a50b-aa56-832b-d8e6-dd59</c>. Eight digits are too few: an
    /// attacker finds a key whose id begins with the same eight in hours.
    /// </summary>
    public string Fingerprint
    {
        get
        {
            string id = ToString();
            return string.Join('-', id[..FingerprintDigits].Chunk(FingerprintGroup).Select(static group => new string(group)));
        }
    }

    /// <inheritdoc/>
    public override string ToString() => _value ?? throw new InvalidOperationException("The device id was never set.");

    /// <summary>Reads and writes a device id, as a string; throws <see cref="JsonException"/> for any other text.</summary>
    public sealed class DeviceIdJsonConverter : JsonConverter<DeviceId>
    {
        /// <inheritdoc/>
        public override DeviceId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TryParse(reader.GetString(), out DeviceId id) ? id : throw new JsonException("Not a device id.");

        /// <inheritdoc/>
        public override void Write(Utf8JsonWriter writer, DeviceId value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value.ToString());
    }
}
