using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Primitives;
using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.Registry;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// Issues and opens session tokens: what a device has proved, the gateway's time, and a MAC by which every gateway of the registry recognises it. A token says
/// what is asked for; whether the device may have it, the registry says at each request.
/// </summary>
internal sealed class SessionTokens(INonceKeys keys, TimeProvider time)
{
    /// <summary>How long a token is good.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromMinutes(5);

    /// <summary>How many characters a token may have: more than one with 64 scopes of 128 characters has.</summary>
    public const int MaxLength = 16 * 1024;

    private const byte Format = 1; // to be raised with every change of what follows
    private const byte EndOfText = (byte)'\n'; // no part contains it
    private const int HeaderSize = 1 + 1 + sizeof(uint);
    private const int MacSize = HMACSHA256.HashSizeInBytes;
    private const int UsualSize = 1024;
    private const int Ed25519Digits = 43;
    private const int PartCount = 9;

    // The keys are those of nonces: neither must ever be taken for the other.
    private static ReadOnlySpan<byte> Domain => "proxygateway session token\n"u8;

    /// <summary>A token of this time.</summary>
    /// <param name="claim">What was proved and admitted, in its audience.</param>
    /// <param name="record">The record that covers it.</param>
    /// <returns>The token, and when it ends: with the grant, if that is earlier.</returns>
    /// <exception cref="RegistryUnavailableException">There is no key yet, and the registry cannot be reached.</exception>
    public (string Token, DateTimeOffset ExpiresAt) Issue(DeviceClaim claim, DeviceRecord record)
    {
        NonceKey key = keys.Current;
        ClientDescription client = claim.Client;
        string[] parts =
        [
            claim.PublicKey, record.Version, claim.Audience.ToString(), claim.Role, claim.Scopes.ToString(),
            client.Id ?? "", client.DisplayName ?? "", client.Platform ?? "", client.Mode ?? "",
        ];
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(parts.Select(part => part + (char)EndOfText)));
        byte[] buffer = new byte[Domain.Length + HeaderSize + text.Length + MacSize];
        Domain.CopyTo(buffer);
        Span<byte> token = buffer.AsSpan(Domain.Length);
        long seconds = time.GetUtcNow().ToUnixTimeSeconds();
        token[0] = Format;
        token[1] = key.Id;
        BinaryPrimitives.WriteUInt32BigEndian(token[2..], (uint)seconds);
        text.CopyTo(token[HeaderSize..]);
        HMACSHA256.HashData(key.Secret.AsSpan(), buffer.AsSpan(..^MacSize), token[^MacSize..]);

        DateTimeOffset end = DateTimeOffset.FromUnixTimeSeconds(seconds) + Life;
        DateTimeOffset? granted = record.Grants.GetValueOrDefault(claim.Key)?.Until;
        return (Base64Url.EncodeToString(token), granted < end ? granted.Value : end);
    }

    /// <summary>Opens the token of a request.</summary>
    /// <param name="lines">The values of its header, of which there must be one.</param>
    /// <param name="audience">The audience of the route.</param>
    /// <param name="cancellationToken">Cancelled when the client is gone.</param>
    /// <returns>The token, or why it does not hold.</returns>
    /// <exception cref="RegistryUnavailableException">The token's key is unknown here, and the registry cannot be reached.</exception>
    /// <exception cref="OperationCanceledException">The client is gone.</exception>
    public async ValueTask<(SessionToken? Token, SessionTokenFault? Fault)> OpenAsync(StringValues lines, Audience audience, CancellationToken cancellationToken)
    {
        if (lines.Count != 1)
            return (null, SessionTokenFault.MoreThanOne);
        if (!TryReadKeyId(lines[0], out byte id)
            || await keys.FindAsync(id, cancellationToken) is not { } key
            || Open(key, lines[0]!, out uint issued) is not { } claim)
        {
            return (null, SessionTokenFault.Invalid);
        }

        var age = TimeSpan.FromSeconds(time.GetUtcNow().ToUnixTimeSeconds() - issued);
        if (age >= Life || age < -ProofNonce.Early)
            return (null, SessionTokenFault.Expired);
        return claim.Audience == audience ? (new SessionToken(claim, age), null) : (null, SessionTokenFault.OtherAudience);
    }

    // A stranger's word, by which nothing but the key is chosen.
    private static bool TryReadKeyId(string? text, out byte id)
    {
        Span<byte> start = stackalloc byte[3];
        bool isRead = text is { Length: > 4 and <= MaxLength } && StrictBase64Url.TryDecode(text.AsSpan(0, 4), start) && start[0] == Format;
        id = start[1];
        return isRead;
    }

    /// <summary>The claim of a token by this key; null if it is none.</summary>
    private static DeviceClaim? Open(NonceKey key, string text, out uint issued)
    {
        issued = 0;
        int size = Base64Url.GetMaxDecodedLength(text.Length);
        if (size <= HeaderSize + MacSize)
            return null;
        byte[]? rented = size > UsualSize ? ArrayPool<byte>.Shared.Rent(Domain.Length + size) : null;
        try
        {
            Span<byte> buffer = (rented ?? stackalloc byte[Domain.Length + UsualSize])[..(Domain.Length + size)];
            Span<byte> token = buffer[Domain.Length..];
            Span<byte> mac = stackalloc byte[MacSize];
            Domain.CopyTo(buffer);
            if (!StrictBase64Url.TryDecode(text, token))
                return null;
            HMACSHA256.HashData(key.Secret.AsSpan(), buffer[..^MacSize], mac);
            if (!CryptographicOperations.FixedTimeEquals(mac, token[^MacSize..])) // how much of a guess is right cannot be measured
                return null;
            issued = BinaryPrimitives.ReadUInt32BigEndian(token[2..]);
            return Read(token[HeaderSize..^MacSize]);
        }
        finally
        {
            if (rented is not null)
                ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static DeviceClaim? Read(ReadOnlySpan<byte> parts)
    {
        if (parts.Count(EndOfText) != PartCount || parts[^1] != EndOfText)
            return null;
        string publicKey = Take(ref parts);
        string version = Take(ref parts);
        string audience = Take(ref parts);
        string role = Take(ref parts);
        string scopes = Take(ref parts);
        var client = new ClientDescription(TakeOrNull(ref parts), TakeOrNull(ref parts), TakeOrNull(ref parts), TakeOrNull(ref parts));
        Span<byte> key = stackalloc byte[publicKey.Length == Ed25519Digits ? DeviceKey.Ed25519Size : DeviceKey.P256Size];
        if (version.Length == 0
            || !StrictBase64Url.TryDecode(publicKey, key)
            || !Audience.TryParse(audience, out Audience of)
            || !ScopeText.TryRead(scopes, out ScopeSet? set))
        {
            return null;
        }

        return new DeviceClaim(DeviceId.Of(key), publicKey, role, set!, client) { Audience = of, RecordVersion = version };
    }

    private static string? TakeOrNull(ref ReadOnlySpan<byte> parts) => Take(ref parts) is { Length: > 0 } text ? text : null;

    private static string Take(ref ReadOnlySpan<byte> parts)
    {
        int end = parts.IndexOf(EndOfText);
        string text = Encoding.UTF8.GetString(parts[..end]);
        parts = parts[(end + 1)..];
        return text;
    }
}
