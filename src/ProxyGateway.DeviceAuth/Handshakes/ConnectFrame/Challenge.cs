using System.Text.Json;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>Reads the backend's <c>connect.challenge</c>.</summary>
internal static class Challenge
{
    private const int MaxNonceLength = 256;

    /// <summary>The nonce of the challenge; null if the message is another one.</summary>
    /// <param name="message">The backend's first text message, valid UTF-8.</param>
    public static string? ReadNonce(ReadOnlyMemory<byte> message)
    {
        using JsonDocument? document = StrictJson.Parse(message);
        if (document?.RootElement is not { ValueKind: JsonValueKind.Object } root
            || !IsText(root, "type"u8, "event"u8)
            || !IsText(root, "event"u8, "connect.challenge"u8)
            || !root.TryGetProperty("payload"u8, out JsonElement payload) || payload.ValueKind != JsonValueKind.Object
            || !payload.TryGetProperty("nonce"u8, out JsonElement nonce) || nonce.ValueKind != JsonValueKind.String)
        {
            return null;
        }

        // Backends trim the nonce that they get back, so the gate and the backend would not compare a padded one in the same way.
        string text = nonce.GetString()!;
        return text.Length is > 0 and <= MaxNonceLength && text.Trim() == text && !text.Contains('|') ? text : null;
    }

    private static bool IsText(JsonElement element, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) =>
        element.TryGetProperty(name, out JsonElement member) && member.ValueKind == JsonValueKind.String && member.ValueEquals(value);
}
