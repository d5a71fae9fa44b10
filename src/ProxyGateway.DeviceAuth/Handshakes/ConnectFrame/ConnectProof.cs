using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame;

/// <summary>The error of a proof.</summary>
internal enum ProofFailure
{
    None,
    IdentityRequired,
    PublicKeyInvalid,
    IdentityMismatch,
    NonceRequired,
    NonceMismatch,
    SignatureExpired,
    SignatureInvalid,
}

/// <summary>
/// Verifies that the key whose hash is the device's id has signed a <c>connect</c> request recently and for this connection. Cheap checks
/// come first; the signature, the most expensive, last.
/// </summary>
internal static class ConnectProof
{
    /// <param name="request">The request.</param>
    /// <param name="nonce">The nonce of the challenge that was relayed on this connection.</param>
    /// <param name="now">The time.</param>
    /// <param name="skew">How far the signature's time may differ from it, earlier or later.</param>
    /// <param name="versions">The versions that other clients of this kind have signed; it learns this one if the proof is valid.</param>
    /// <param name="claim">The verified claim.</param>
    public static ProofFailure Verify(
        ConnectRequest request, string nonce, DateTimeOffset now, TimeSpan skew, PayloadVersions versions, out DeviceClaim claim)
    {
        claim = null!;
        if (request.Device is not { } device)
            return ProofFailure.IdentityRequired;

        Span<byte> key = stackalloc byte[Ed25519.PublicKeySize];
        if (!PublicKeyText.TryDecodeKey(device.PublicKey, key) || !Ed25519.IsAcceptableKey(key))
            return ProofFailure.PublicKeyInvalid;
        if (!DeviceId.TryParse(device.Id, out DeviceId id) || id != DeviceId.Of(key))
            return ProofFailure.IdentityMismatch;
        if (string.IsNullOrEmpty(device.Nonce))
            return ProofFailure.NonceRequired;
        if (device.Nonce != nonce)
            return ProofFailure.NonceMismatch;

        // Both bounds by comparison: the difference between a hostile time and now could overflow.
        long time = now.ToUnixTimeMilliseconds();
        long tolerance = (long)skew.TotalMilliseconds;
        if (device.SignedAt < time - tolerance || device.SignedAt > time + tolerance)
            return ProofFailure.SignatureExpired;

        Span<byte> signature = stackalloc byte[Ed25519.SignatureSize];
        if (!PublicKeyText.TryDecode(device.Signature, signature))
            return ProofFailure.SignatureInvalid;

        if (!IsSigned(request, device, nonce, key, signature, versions))
            return ProofFailure.SignatureInvalid;

        claim = new DeviceClaim(id, Base64Url.EncodeToString(key), request.Role, ScopeSet.Of(request.Scopes), request.Describe());
        return ProofFailure.None;
    }

    // Only version 4 signs a profile: if an older signature counted with one, anybody who relays a request could add it.
    private static bool IsSigned(
        ConnectRequest request, ConnectDevice device, string nonce, ReadOnlySpan<byte> key, ReadOnlySpan<byte> signature, PayloadVersions versions)
    {
        if (request.TrustedBrokerProfileId is { } profile)
        {
            ReadOnlySpan<byte> payload = PayloadOfVersionFour(request, device, nonce, profile);
            return Ascii.IsValid(payload) && Ed25519.Verify(key, payload, signature);
        }

        ref bool signsVersionTwo = ref versions.SignsVersionTwo(request);
        bool guess = signsVersionTwo;
        if (Ed25519.Verify(key, Payload(request, device, nonce, version3: !guess), signature))
            return true;
        if (!Ed25519.Verify(key, Payload(request, device, nonce, version3: guess), signature))
            return false;
        signsVersionTwo = !guess;
        return true;
    }

    /// <summary>
    /// Each field with its length before it. It is unknown whether that counts bytes or characters, so a payload that is not ASCII, where
    /// the two differ, must not be accepted.
    /// </summary>
    internal static ReadOnlySpan<byte> PayloadOfVersionFour(ConnectRequest request, ConnectDevice device, string nonce, string profile)
    {
        var payload = new ArrayBufferWriter<byte>(512);
        Write(payload, "v4");
        WriteFields(payload, device.Id, request.ClientId, request.ClientMode, request.Role, request.Scopes.Count.ToString(CultureInfo.InvariantCulture));
        foreach (string scope in request.Scopes)
        {
            WriteFields(payload, scope);
        }

        WriteFields(payload, device.SignedAt.ToString(CultureInfo.InvariantCulture), request.SignedToken, nonce);
        WriteFields(payload, Normalize(request.Platform), Normalize(request.DeviceFamily), profile);
        return payload.WrittenSpan;
    }

    private static void WriteFields(ArrayBufferWriter<byte> payload, params ReadOnlySpan<string> texts)
    {
        foreach (string text in texts)
        {
            Write(payload, "|", text.Length.ToString(CultureInfo.InvariantCulture), ":", text);
        }
    }

    private static ReadOnlySpan<byte> Payload(ConnectRequest request, ConnectDevice device, string nonce, bool version3)
    {
        var payload = new ArrayBufferWriter<byte>(512);
        Write(payload, version3 ? "v3|" : "v2|", device.Id, "|", request.ClientId, "|", request.ClientMode, "|", request.Role, "|");
        for (int i = 0; i < request.Scopes.Count; i++)
        {
            Write(payload, i > 0 ? "," : "", request.Scopes[i]);
        }

        Write(payload, "|", device.SignedAt.ToString(CultureInfo.InvariantCulture), "|", request.SignedToken, "|", nonce);
        if (version3)
            Write(payload, "|", Normalize(request.Platform), "|", Normalize(request.DeviceFamily));
        return payload.WrittenSpan;
    }

    private static void Write(ArrayBufferWriter<byte> payload, params ReadOnlySpan<string> texts)
    {
        foreach (string text in texts)
        {
            Encoding.UTF8.GetBytes(text, payload);
        }
    }

    /// <summary>Trimmed, with ASCII upper case lowered, as clients do it.</summary>
    private static string Normalize(string text)
    {
        string trimmed = text.Trim();
        return !trimmed.AsSpan().ContainsAnyInRange('A', 'Z')
            ? trimmed
            : string.Create(trimmed.Length, trimmed, static (span, trimmed) =>
            {
                for (int i = 0; i < span.Length; i++)
                {
                    span[i] = char.IsAsciiLetterUpper(trimmed[i]) ? (char)(trimmed[i] | 0x20) : trimmed[i];
                }
            });
    }
}
