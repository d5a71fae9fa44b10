using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace ProxyGateway.IntegrationTests.Fuzzing;

/// <summary>Whether a request that reached the backend was rightly let through: read, verified and compared apart from the gate.</summary>
/// <param name="grants">Device id and role -> scopes that are granted.</param>
internal sealed class Evidence(IReadOnlyDictionary<(string Device, string Role), string[]> grants)
{
    /// <summary>What is wrong with the request; null if it proves a device whose grant covers what it asks for.</summary>
    public string? Against(byte[] message)
    {
        JsonElement frame;
        try
        {
            frame = JsonDocument.Parse(message).RootElement;
        }
        catch (JsonException)
        {
            return "it is no JSON";
        }

        try
        {
            return Judge(frame);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return "a member is missing or of another type: " + e.Message;
        }
    }

    private string? Judge(JsonElement frame)
    {
        if (Text(frame, "type") != "req" || Text(frame, "method") != "connect")
            return "it is no connect request";
        JsonElement parameters = frame.GetProperty("params");
        JsonElement device = parameters.GetProperty("device");
        JsonElement client = parameters.GetProperty("client");
        string role = Text(parameters, "role") ?? "operator";
        string[] scopes = parameters.TryGetProperty("scopes", out JsonElement list) ? [.. list.EnumerateArray().Select(s => s.GetString()!)] : [];
        JsonElement auth = parameters.TryGetProperty("auth", out JsonElement given) ? given : default;
        string token = auth.ValueKind == JsonValueKind.Object ? Text(auth, "token") ?? Text(auth, "deviceToken") ?? Text(auth, "bootstrapToken") ?? "" : "";
        string id = Text(device, "id")!;

        string v2 = string.Join('|', id, Text(client, "id"), Text(client, "mode"), role, string.Join(',', scopes), device.GetProperty("signedAt").GetRawText(), token, Text(device, "nonce"));
        string v3 = $"v3|{v2}|{Lower(Text(client, "platform"))}|{Lower(Text(client, "deviceFamily"))}";
        byte[] key = Decode(Text(device, "publicKey")!);
        byte[] signature = Decode(Text(device, "signature")!);
        if (Convert.ToHexStringLower(SHA256.HashData(key)) != id)
            return "the id is not the key's";
        if (Text(device, "nonce") != RecordedHandshakes.Nonce)
            return "the nonce is another connection's";
        if (!Gate.TestDevice.OpenSslVerifies(key, Encoding.UTF8.GetBytes(v3), signature)
            && !Gate.TestDevice.OpenSslVerifies(key, Encoding.UTF8.GetBytes("v2|" + v2), signature))
        {
            return "the signature does not hold";
        }

        return grants.TryGetValue((id, role), out string[]? granted) && scopes.All(granted.Contains) ? null : $"{role} with [{string.Join(' ', scopes)}] is not granted";
    }

    private static string? Text(JsonElement element, string name) => element.TryGetProperty(name, out JsonElement member) ? member.GetString() : null;

    private static string Lower(string? text) => string.Concat((text ?? "").Trim().Select(c => char.IsAsciiLetterUpper(c) ? (char)(c | 0x20) : c));

    private static byte[] Decode(string text) =>
        text.Contains('+') || text.Contains('/') || text.Contains('=') ? Convert.FromBase64String(text) : Base64Url.DecodeFromChars(text);
}
