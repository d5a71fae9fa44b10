using System.Buffers.Text;
using System.Text;
using System.Text.Json.Nodes;
using NSec.Cryptography;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.Tests.Handshakes.InMemory;

/// <summary>A device that signs its <c>connect</c> requests as the protocol's own clients do.</summary>
internal sealed class SigningDevice
{
    private readonly Key _key = Key.Create(SignatureAlgorithm.Ed25519);

    public SigningDevice()
    {
        byte[] publicKey = _key.PublicKey.Export(KeyBlobFormat.RawPublicKey);
        Id = DeviceId.Of(publicKey);
        PublicKey = Base64Url.EncodeToString(publicKey);
    }

    public DeviceId Id { get; }

    public string PublicKey { get; }

    /// <summary>A request with the id 17.</summary>
    public string Connect(string nonce, DateTimeOffset now, string role = "operator", string scopes = "operator.read", string? token = null)
    {
        long time = now.ToUnixTimeMilliseconds();
        string signed = $"v3|{Id}|cli|cli|{role}|{scopes}|{time}|{token}|{nonce}|linux|";
        var parameters = new JsonObject
        {
            ["minProtocol"] = 4,
            ["maxProtocol"] = 4,
            ["client"] = new JsonObject { ["id"] = "cli", ["mode"] = "cli", ["platform"] = "linux" },
            ["role"] = role,
            ["scopes"] = new JsonArray([.. scopes.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(s => (JsonNode)s)]),
            ["device"] = new JsonObject
            {
                ["id"] = Id.ToString(),
                ["publicKey"] = PublicKey,
                ["signature"] = Base64Url.EncodeToString(SignatureAlgorithm.Ed25519.Sign(_key, Encoding.UTF8.GetBytes(signed))),
                ["signedAt"] = time,
                ["nonce"] = nonce,
            },
        };
        if (token is not null)
            parameters["auth"] = new JsonObject { ["token"] = token };
        return new JsonObject { ["type"] = "req", ["id"] = "17", ["method"] = "connect", ["params"] = parameters }.ToJsonString();
    }
}
