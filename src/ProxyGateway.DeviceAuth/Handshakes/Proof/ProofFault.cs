using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>What is wrong with a proof, in the gate's own words: every fault that there is.</summary>
/// <param name="Part">The header member or claim; <c>jwt</c> for the whole.</param>
/// <param name="Detail">What must hold.</param>
/// <param name="Closing">How a browser's WebSocket is closed, and what log and audit have.</param>
internal sealed record ProofFault(string Part, string Detail, Closing Closing)
{
    /// <summary>A nonce is missing, forged, of a key that is gone, or too old: the client takes a new one and tries again.</summary>
    public static readonly ProofFault NonceRequired =
        new("nonce", "The proof needs a nonce of this gateway that is not too old. Use the one of this answer.", Closing.NonceRequired);

    public static readonly ProofFault TooLong = Of("jwt", "The proof is longer than 4096 characters.");
    public static readonly ProofFault NotThreeParts = Of("jwt", "The proof is no JWT: three parts of base64url without padding.");
    public static readonly ProofFault NotStrictJson = Of("jwt", "Header and payload of the proof must be JSON objects in UTF-8, without duplicate members.");
    public static readonly ProofFault MoreThanOne = Of("jwt", "The request has more than one proof.");
    public static readonly ProofFault NoMarker = Of("jwt", "The subprotocol of a proof needs device-proof.v1 beside it.");

    public static readonly ProofFault Type = Of("typ", "The type must be dpop+jwt.");
    public static readonly ProofFault Algorithm = Of("alg", "The algorithm must be ES256, EdDSA or Ed25519.");
    public static readonly ProofFault Critical = Of("crit", "No extension is understood here.");
    public static readonly ProofFault KeyMissing = OfKey("The key must be a JWK object.");
    public static readonly ProofFault KeyPrivate = OfKey("The key holds a private part. Regard it as stolen: make a new one.");
    public static readonly ProofFault KeyUnknown = OfKey("The key must be EC of P-256, or OKP of Ed25519.");
    public static readonly ProofFault KeyUnfit = OfKey("The algorithm is not that of the key.");
    public static readonly ProofFault KeyMalformed = OfKey("A coordinate must be 32 bytes of base64url without padding.");
    public static readonly ProofFault KeyWeak = OfKey("The key is no point of its curve, or one under which anybody can sign.");

    public static readonly ProofFault Method = Of("htm", "It must be the method of the request, and GET for a WebSocket.");
    public static readonly ProofFault Url = Of("htu", "It must be the URL of the request, by a public origin of this gateway (DeviceAuth:PublicOrigins), without query and fragment.");
    public static readonly ProofFault Id = Of("jti", "It must be 1 to 128 visible ASCII characters.");
    public static readonly ProofFault IssuedAt = Of("iat", "It must be a number.");
    public static readonly ProofFault NonceType = Of("nonce", "It must be a text.");
    public static readonly ProofFault TokenHash = Of("ath", "It must be absent, or the hash of the token that came with the proof.");
    public static readonly ProofFault Role = Of("role", "It must be 1 to 128 of A-Z a-z 0-9 . _ : -.");
    public static readonly ProofFault Scope = Of("scope", "It must be at most 64 scopes with one blank between two.");
    public static readonly ProofFault Client = Of("client", "It must be an object, and its members texts.");
    public static readonly ProofFault Invitation = Of("invitation", "It must be the secret of an invitation, as its address has it.");

    public static readonly ProofFault Signature = new("signature", "The signature is not the key's.", Closing.SignatureInvalid);

    private static ProofFault Of(string part, string detail) => new(part, detail, Closing.InvalidHandshake($"the proof's {part}"));

    private static ProofFault OfKey(string detail) => new("jwk", detail, Closing.PublicKeyInvalid);
}
