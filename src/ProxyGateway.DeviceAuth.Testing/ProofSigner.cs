using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using ProxyGateway.DeviceAuth.Client;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Testing;

/// <summary>A device that makes proofs (RFC 9449) for the handshake <c>Proof</c>, with an Ed25519 or a P-256 key. Thread-safe.</summary>
public sealed class ProofSigner : IDeviceSigner, IDisposable
{
    private readonly DeviceIdentity _identity;
    private readonly TimeProvider _time;

    private ProofSigner(DeviceIdentity identity, TimeProvider? time)
    {
        (_identity, _time) = (identity, time ?? TimeProvider.System);
        ReadOnlySpan<byte> key = identity.PublicKey.Span;
        Id = DeviceId.Of(key);
        PublicKey = Base64Url.EncodeToString(key);
        Jwk = key.Length == DeviceKey.Ed25519Size
            ? new JsonObject { ["kty"] = "OKP", ["crv"] = "Ed25519", ["x"] = PublicKey }
            : new JsonObject { ["kty"] = "EC", ["crv"] = "P-256", ["x"] = Base64Url.EncodeToString(key.Slice(1, 32)), ["y"] = Base64Url.EncodeToString(key[33..]) };
    }

    /// <summary>The device's id.</summary>
    public DeviceId Id { get; }

    /// <summary>The raw public key as base64url without padding.</summary>
    public string PublicKey { get; }

    /// <summary>The algorithm of its proofs, <c>Ed25519</c> or <c>ES256</c>.</summary>
    public string Algorithm => _identity.Algorithm.ToString();

    DeviceAlgorithm IDeviceSigner.Algorithm => _identity.Algorithm;

    ReadOnlyMemory<byte> IDeviceSigner.PublicKey => _identity.PublicKey;

    /// <summary>The public key as a JWK; a copy for each caller.</summary>
    public JsonObject Jwk { get => field.DeepClone().AsObject(); }

    /// <summary>A device with an Ed25519 key.</summary>
    /// <param name="seed">The private key, 32 bytes (RFC 8032 §5.1.5); null for a new one.</param>
    /// <param name="time">The device's clock; null for the system's.</param>
    /// <exception cref="FormatException">The key is invalid.</exception>
    public static ProofSigner WithEd25519(byte[]? seed = null, TimeProvider? time = null) =>
        new(seed is null ? DeviceIdentity.Create() : DeviceIdentity.FromSeed(seed), time);

    /// <summary>A device with a new P-256 key.</summary>
    /// <param name="time">The device's clock; null for the system's.</param>
    public static ProofSigner WithP256(TimeProvider? time = null) => new(DeviceIdentity.Create(DeviceAlgorithm.ES256), time);

    /// <summary>Makes a proof.</summary>
    /// <param name="method">The request's method, <c>GET</c> for a WebSocket.</param>
    /// <param name="url">The request's URL; query and fragment are left out, <c>ws</c> becomes <c>http</c>.</param>
    /// <param name="nonce">The gateway's nonce; null: none.</param>
    /// <param name="options">Further parts; null: none.</param>
    public string Prove(string method, Uri url, string? nonce, ProofOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(url);
        var claims = new JsonObject
        {
            ["jti"] = options?.Id ?? Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16)),
            ["htm"] = method,
            ["htu"] = HtuOf(url),
            ["iat"] = _time.GetUtcNow().ToUnixTimeSeconds(),
        };
        if (nonce is not null)
            claims["nonce"] = nonce;
        if (options?.Token is { } token)
            claims["ath"] = Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
        if (options?.Role is { } role)
            claims["role"] = role;
        if (options?.Scopes is { } scopes)
            claims["scope"] = scopes.ToString();
        if (options?.Invitation is { } invitation)
            claims["invitation"] = invitation;
        if (options?.Client is { } client)
            claims["client"] = new JsonObject { ["id"] = client.Id ?? "", ["displayName"] = client.DisplayName ?? "", ["platform"] = client.Platform ?? "", ["mode"] = client.Mode ?? "" };
        return Sign(new JsonObject { ["typ"] = "dpop+jwt", ["alg"] = Algorithm, ["jwk"] = Jwk }.ToJsonString(), claims.ToJsonString());
    }

    /// <summary>Signs any header and payload, so that tests can make proofs that do not hold.</summary>
    /// <param name="header">The header's JSON.</param>
    /// <param name="payload">The payload's JSON.</param>
    public string Sign(string header, string payload)
    {
        string signed = $"{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header))}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(payload))}";
        return $"{signed}.{Base64Url.EncodeToString(_identity.Sign(Encoding.ASCII.GetBytes(signed)))}";
    }

    /// <summary>The URL as a proof has it: <c>http</c> or <c>https</c>, no query, no fragment.</summary>
    public static string HtuOf(Uri url)
    {
        ArgumentNullException.ThrowIfNull(url);
        string scheme = url.Scheme switch { "ws" => "http", "wss" => "https", _ => url.Scheme };
        return $"{scheme}://{url.Authority}{url.AbsolutePath}";
    }

    ValueTask<byte[]> IDeviceSigner.SignAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => _identity.SignAsync(data, cancellationToken);

    /// <summary>Deletes the key from memory.</summary>
    public void Dispose() => _identity.Dispose();
}
