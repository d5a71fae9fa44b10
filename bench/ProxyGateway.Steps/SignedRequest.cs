using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using NSec.Cryptography;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.Steps;

/// <summary>The <c>connect</c> request of an OpenClaw command line, signed: with everything in it that such a client sends, used here or not.</summary>
internal sealed class SignedRequest
{
    public const string Nonce = "5b1d0c8e-6a0f-4f0e-9a56-2c7f3e1b8d94";

    public SignedRequest()
    {
        using Key key = Key.Create(SignatureAlgorithm.Ed25519);
        PublicKey = key.PublicKey.Export(KeyBlobFormat.RawPublicKey);
        var id = DeviceId.Of(PublicKey);
        long time = At.ToUnixTimeMilliseconds();
        string token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
        Payload = Encoding.UTF8.GetBytes($"v3|{id}|cli|cli|operator|operator.read,operator.write,operator.approvals|{time}|{token}|{Nonce}|linux|");
        Signature = SignatureAlgorithm.Ed25519.Sign(key, Payload);
        Message = Encoding.UTF8.GetBytes($$$$"""
            {"type":"req","id":"1f0c8a52-9e3b-4f57-8d0e-6b2a4c91e7d3","method":"connect","params":{"minProtocol":4,"maxProtocol":4,
            "client":{"id":"cli","displayName":"Anna's workstation","version":"2026.11.2","platform":"linux","mode":"cli","instanceId":"c3d9e8f1-70ab-4b8f-b9d6-0e4f5a6b7c8d"},
            "role":"operator","scopes":["operator.read","operator.write","operator.approvals"],"caps":["tool-events"],"commands":[],"permissions":{},
            "auth":{"token":"{{{{token}}}}"},"locale":"en-US","userAgent":"openclaw-cli/2026.11.2",
            "device":{"id":"{{{{id}}}}","publicKey":"{{{{Base64Url.EncodeToString(PublicKey)}}}}",
            "signature":"{{{{Base64Url.EncodeToString(Signature)}}}}","signedAt":{{{{time}}}},"nonce":"{{{{Nonce}}}}"}}}
            """.ReplaceLineEndings(""));
    }

    /// <summary>When it was signed.</summary>
    public DateTimeOffset At { get; } = DateTimeOffset.UtcNow;

    public byte[] PublicKey { get; }

    /// <summary>What is signed.</summary>
    public byte[] Payload { get; }

    public byte[] Signature { get; }

    /// <summary>The text message.</summary>
    public byte[] Message { get; }

    /// <summary>The message as a client sends it.</summary>
    public byte[] Frame => Frames.Masked(Opcode.Text, Message);
}
