using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// Reads a proof (RFC 9449 §4.2) so strictly that no two readers can read it differently. It verifies nothing: what it returns is a stranger's word.
/// </summary>
internal static class ProofReader
{
    /// <summary>How many characters a proof may have.</summary>
    public const int MaxLength = 4096;

    private const int MaxIdLength = 128;

    /// <summary>Reads a proof; the fault otherwise.</summary>
    /// <param name="text">The JWT, as it came.</param>
    /// <param name="token">The proof.</param>
    public static ProofFault? Read(string text, out ProofToken token)
    {
        token = null!;
        if (text.Length > MaxLength)
            return ProofFault.TooLong;
        int first = text.IndexOf('.', StringComparison.Ordinal);
        int last = text.LastIndexOf('.');
        if (first < 0
            || text.AsSpan().Count('.') != 2
            || !StrictBase64Url.TryDecode(text.AsSpan(0, first), out byte[] header)
            || !StrictBase64Url.TryDecode(text.AsSpan(first + 1, last - first - 1), out byte[] payload)
            || !StrictBase64Url.TryDecode(text.AsSpan(last + 1), out byte[] signature))
        {
            return ProofFault.NotThreeParts;
        }

        using JsonDocument? head = Parse(header);
        using JsonDocument? claims = Parse(payload);
        if (head is null || claims is null)
            return ProofFault.NotStrictJson;
        return ReadHeader(head.RootElement, out ProofKey key)
            ?? ReadClaims(claims.RootElement, key, Encoding.ASCII.GetBytes(text[..last]), signature, out token);
    }

    private static JsonDocument? Parse(byte[] json)
    {
        JsonDocument? document = Utf8.IsValid(json) ? StrictJson.Parse(json) : null;
        if (document is null or { RootElement.ValueKind: JsonValueKind.Object })
            return document;
        document.Dispose();
        return null;
    }

    private static ProofFault? ReadHeader(JsonElement header, out ProofKey key)
    {
        key = null!;
        if (!header.TryGetProperty("typ"u8, out JsonElement type) || type.ValueKind != JsonValueKind.String || !type.ValueEquals("dpop+jwt"u8))
            return ProofFault.Type;
        if (header.TryGetProperty("crit"u8, out _))
            return ProofFault.Critical;
        if (TextOf(header, "alg"u8) is not { } algorithm || algorithm is not ("ES256" or "EdDSA" or "Ed25519"))
            return ProofFault.Algorithm;
        return header.TryGetProperty("jwk"u8, out JsonElement jwk) ? ProofKey.Read(jwk, algorithm, out key) : ProofFault.KeyMissing;
    }

    private static ProofFault? ReadClaims(JsonElement claims, ProofKey key, byte[] signed, byte[] signature, out ProofToken token)
    {
        token = null!;
        if (TextOf(claims, "jti"u8) is not { Length: > 0 and <= MaxIdLength } id || id.AsSpan().ContainsAnyExceptInRange('!', '~'))
            return ProofFault.Id;
        if (!claims.TryGetProperty("iat"u8, out JsonElement time) || time.ValueKind != JsonValueKind.Number || !time.TryGetDouble(out double issuedAt) || !double.IsFinite(issuedAt))
            return ProofFault.IssuedAt;
        if (!TryGetText(claims, "nonce"u8, out string? nonce))
            return ProofFault.NonceType;
        if (!TryGetText(claims, "ath"u8, out string? hash))
            return ProofFault.TokenHash;
        if (!TryGetText(claims, "role"u8, out string? role) || (role is not null && !ScopeSet.IsValidName(role)))
            return ProofFault.Role;
        if (!TryGetText(claims, "scope"u8, out string? scope) || !ScopeText.TryRead(scope, out ScopeSet? scopes))
            return ProofFault.Scope;
        if (!TryGetText(claims, "invitation"u8, out string? invitation) || (invitation is not null && InvitationSecret.IdOf(invitation) is null))
            return ProofFault.Invitation;
        if (!TryGetClient(claims, out ClientDescription client))
            return ProofFault.Client;
        token = new ProofToken
        {
            Key = key,
            Method = TextOf(claims, "htm"u8),
            Url = TextOf(claims, "htu"u8),
            Nonce = nonce,
            Id = id,
            IssuedAt = issuedAt,
            TokenHash = hash,
            Role = role,
            Scopes = scopes,
            Client = client,
            InvitationId = invitation is null ? null : InvitationSecret.IdOf(invitation),
            Signed = signed,
            Signature = signature,
        };
        return null;
    }

    private static bool TryGetClient(JsonElement claims, out ClientDescription client)
    {
        client = new ClientDescription();
        if (!claims.TryGetProperty("client"u8, out JsonElement value))
            return true;
        if (value.ValueKind != JsonValueKind.Object
            || !TryGetText(value, "id"u8, out string? id)
            || !TryGetText(value, "displayName"u8, out string? displayName)
            || !TryGetText(value, "version"u8, out _)
            || !TryGetText(value, "platform"u8, out string? platform)
            || !TryGetText(value, "mode"u8, out string? mode))
        {
            return false;
        }

        client = ClientDescription.Sanitize(id, displayName, platform, mode);
        return true;
    }

    /// <summary>False if the member is there and no text.</summary>
    private static bool TryGetText(JsonElement element, ReadOnlySpan<byte> member, out string? text)
    {
        text = null;
        if (!element.TryGetProperty(member, out JsonElement value))
            return true;
        text = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        return text is not null;
    }

    private static string? TextOf(JsonElement element, ReadOnlySpan<byte> member) =>
        element.TryGetProperty(member, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
