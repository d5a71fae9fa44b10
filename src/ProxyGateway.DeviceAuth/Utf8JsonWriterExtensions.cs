using System.Text.Json;

namespace ProxyGateway.DeviceAuth;

// The library for clients compiles it too.
internal static class Utf8JsonWriterExtensions
{
    /// <summary>Writes a member, if it has a value.</summary>
    public static void WriteOptional(this Utf8JsonWriter json, ReadOnlySpan<byte> name, string? value)
    {
        if (value is not null)
            json.WriteString(name, value);
    }
}
