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

    /// <summary>Reads an id that is known to be one.</summary>
    /// <exception cref="FormatException">The text is not a device id.</exception>
    public static DeviceId Parse(string text) => TryParse(text, out DeviceId id) ? id : throw new FormatException("Not a device id.");

    /// <inheritdoc/>
    public override string ToString() => _value ?? throw new InvalidOperationException("The device id was never set.");

    internal sealed class DeviceIdJsonConverter : JsonConverter<DeviceId>
    {
        public override DeviceId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TryParse(reader.GetString(), out DeviceId id) ? id : throw new JsonException("Not a device id.");

        public override void Write(Utf8JsonWriter writer, DeviceId value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }
}
