using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ProxyGateway.DeviceAuth.Client;

/// <summary>
/// Makes proofs (DPoP proof JWTs, RFC 9449 §4.2) for the handshake Proof, one for each request. Thread-safe if the signer is.
/// </summary>
public sealed class ProofMaker
{
    /// <summary>How many characters a gateway accepts.</summary>
    public const int MaxLength = 4096;

    private const int IdSize = 16;
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly IDeviceSigner _signer;
    private readonly TimeProvider _time;
    private readonly string _header; // the same for each proof

    /// <summary>Makes proofs of a device.</summary>
    /// <param name="signer">The device's key.</param>
    /// <param name="time">The device's clock, which may be wrong; null for the system's.</param>
    public ProofMaker(IDeviceSigner signer, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(signer);
        (_signer, _time) = (signer, time ?? TimeProvider.System);
        _header = Base64Url.EncodeToString(HeaderOf(signer));
    }

    /// <summary>Makes a proof.</summary>
    /// <param name="method">The request's method; of a WebSocket always <c>GET</c>, also over HTTP/2.</param>
    /// <param name="url">The request's URL, as it is sent. Query and fragment are not signed.</param>
    /// <param name="nonce">The gateway's newest nonce; null: none, and the gateway will answer with one.</param>
    /// <param name="claims">Further parts; null: none.</param>
    /// <param name="cancellationToken">Cancels the operation.</param>
    /// <returns>The JWT.</returns>
    /// <exception cref="ArgumentException">The URL is neither https or wss, nor on loopback.</exception>
    /// <exception cref="InvalidOperationException">The proof is longer than <see cref="MaxLength"/>: the claims are too long.</exception>
    public async ValueTask<string> ProveAsync(string method, Uri url, string? nonce, ProofClaims? claims = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(method);
        ArgumentNullException.ThrowIfNull(url);
        GateUrl.EnsureSafe(url);
        string signed = $"{_header}.{Base64Url.EncodeToString(PayloadOf(method, url, nonce, claims))}";
        byte[] signature = await _signer.SignAsync(Encoding.ASCII.GetBytes(signed), cancellationToken).ConfigureAwait(false);
        string proof = $"{signed}.{Base64Url.EncodeToString(signature)}";
        return proof.Length <= MaxLength ? proof : throw new InvalidOperationException($"The proof has {proof.Length} characters, and a gateway accepts {MaxLength}.");
    }

    private static ReadOnlySpan<byte> HeaderOf(IDeviceSigner signer)
    {
        ReadOnlySpan<byte> key = signer.PublicKey.Span;
        bool isP256 = signer.Algorithm == DeviceAlgorithm.ES256;
        if (key.Length != (isP256 ? 65 : 32) || (isP256 && key[0] != 4))
            throw new ArgumentException("The public key does not fit its algorithm.", nameof(signer));
        var buffer = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteString("typ"u8, "dpop+jwt"u8);
        json.WriteString("alg"u8, isP256 ? "ES256"u8 : "Ed25519"u8);
        json.WriteStartObject("jwk"u8);
        json.WriteString("kty"u8, isP256 ? "EC"u8 : "OKP"u8);
        json.WriteString("crv"u8, isP256 ? "P-256"u8 : "Ed25519"u8);
        json.WriteString("x"u8, Base64Url.EncodeToUtf8(isP256 ? key.Slice(1, 32) : key));
        if (isP256)
            json.WriteString("y"u8, Base64Url.EncodeToUtf8(key[33..]));
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan;
    }

    private ReadOnlySpan<byte> PayloadOf(string method, Uri url, string? nonce, ProofClaims? claims)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using var json = new Utf8JsonWriter(buffer, Plain);
        json.WriteStartObject();
        json.WriteString("jti"u8, Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(IdSize)));
        json.WriteString("htm"u8, method);
        json.WriteString("htu"u8, GateUrl.OriginOf(url) + url.AbsolutePath);
        json.WriteNumber("iat"u8, _time.GetUtcNow().ToUnixTimeSeconds());
        json.WriteOptional("nonce"u8, nonce);
        if (claims?.Token is { } token)
            json.WriteString("ath"u8, Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(token))));
        json.WriteOptional("role"u8, claims?.Role);
        if (claims?.Scopes is { } scopes)
            json.WriteString("scope"u8, string.Join(' ', scopes));
        json.WriteOptional("invitation"u8, claims?.Invitation);
        if (claims?.Client is { } client)
            WriteClient(json, client);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan;
    }

    private static void WriteClient(Utf8JsonWriter json, ClientClaim client)
    {
        json.WriteStartObject("client"u8);
        json.WriteOptional("id"u8, client.Id);
        json.WriteOptional("displayName"u8, client.DisplayName);
        json.WriteOptional("version"u8, client.Version);
        json.WriteOptional("platform"u8, client.Platform);
        json.WriteOptional("mode"u8, client.Mode);
        json.WriteEndObject();
    }
}
