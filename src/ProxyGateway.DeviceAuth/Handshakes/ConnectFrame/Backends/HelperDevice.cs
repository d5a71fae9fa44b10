using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using NSec.Cryptography;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

/// <summary>
/// A device of the gate's own, for OpenClaw gateways that give scopes to devices alone (2026.3). Its key is in no file, so nobody else can ever be this device.
/// </summary>
internal sealed class HelperDevice(TimeProvider time) : IDisposable
{
    private readonly Key _key = Key.Create(SignatureAlgorithm.Ed25519);

    /// <summary>Writes the member <c>device</c> of a <c>connect</c> of the gate's, signed for a challenge.</summary>
    /// <param name="json">The parameters of the request.</param>
    /// <param name="client">What of the request is signed between the device's id and the time: kind, mode, role and scopes, joined by <c>|</c>.</param>
    /// <param name="token">The backend's shared token.</param>
    /// <param name="nonce">The nonce of the challenge.</param>
    public void Write(Utf8JsonWriter json, string client, string token, string nonce)
    {
        byte[] key = _key.PublicKey.Export(KeyBlobFormat.RawPublicKey);
        string id = DeviceId.Of(key).ToString();
        long signedAt = time.GetUtcNow().ToUnixTimeMilliseconds();
        byte[] signature = SignatureAlgorithm.Ed25519.Sign(_key, Encoding.UTF8.GetBytes($"v2|{id}|{client}|{signedAt}|{token}|{nonce}"));
        json.WriteStartObject("device"u8);
        json.WriteString("id"u8, id);
        json.WriteString("publicKey"u8, Base64Url.EncodeToString(key));
        json.WriteString("signature"u8, Base64Url.EncodeToString(signature));
        json.WriteNumber("signedAt"u8, signedAt);
        json.WriteString("nonce"u8, nonce);
        json.WriteEndObject();
    }

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();
}
