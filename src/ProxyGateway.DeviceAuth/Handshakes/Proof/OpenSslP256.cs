using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace ProxyGateway.DeviceAuth.Handshakes.Proof;

/// <summary>
/// ES256 verification by libcrypto of OpenSSL 3, the library that .NET itself uses on Linux. A thread keeps one key object and puts the points of all keys into it:
/// reading a point takes a microsecond, and a new object ten to a hundred.
/// </summary>
internal static partial class OpenSslP256
{
    private const string Library = "libcrypto.so.3";
    private const int Curve = 415; // NID_X9_62_prime256v1
    private const int IntegerSize = 32;
    private const int MostOfDer = 2 + (2 * (3 + IntegerSize));
    private const byte Sequence = 0x30;
    private const byte Integer = 0x02;

    [ThreadStatic]
    private static Key? _key;

    /// <summary>Whether the library is there and verifies.</summary>
    public static bool IsUsable { get; } = IsThere();

    /// <summary>Whether the key is a point of the curve and made this signature; the fault otherwise.</summary>
    /// <param name="key">The key, 65 bytes: <c>04</c>, x, y.</param>
    /// <param name="hash">The SHA-256 of what is signed.</param>
    /// <param name="signature">The signature, 64 bytes: r, s.</param>
    /// <exception cref="CryptographicException">There is no memory for a key.</exception>
    public static ProofFault? Verify(ReadOnlySpan<byte> key, ReadOnlySpan<byte> hash, ReadOnlySpan<byte> signature)
    {
        Key own = _key ??= Create();

        // It finds whether the point is on the curve. There is no other subgroup (the cofactor is 1), and 65 bytes cannot spell infinity.
        if (SetPoint(own, key, (nuint)key.Length, 0) != 1)
        {
            ClearErrors();
            return ProofFault.KeyWeak;
        }

        Span<byte> der = stackalloc byte[MostOfDer];
        int length = WriteDer(signature, der);
        if (VerifySignature(0, hash, hash.Length, der, length, own) == 1)
            return null;
        ClearErrors(); // else the next user of this thread's queue would take them for its own
        return ProofFault.Signature;
    }

    private static Key Create()
    {
        Key key = NewKey(Curve);
        return key.IsInvalid ? throw new CryptographicException("OpenSSL has made no key.") : key;
    }

    private static bool IsThere()
    {
        try
        {
            if (!OperatingSystem.IsLinux())
                return false;
            using ECDsa sample = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            ECPoint point = sample.ExportParameters(includePrivateParameters: false).Q;
            byte[] hash = SHA256.HashData([]);
            byte[] signature = sample.SignHash(hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
            return Verify([4, .. point.X!, .. point.Y!], hash, signature) is null && Verify([4, .. point.X!, .. point.Y!], SHA256.HashData([0]), signature) is not null;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or CryptographicException)
        {
            return false;
        }
    }

    // RFC 3279 §2.2.3: a sequence of two integers, without leading zeros but for that of a sign.
    private static int WriteDer(ReadOnlySpan<byte> signature, Span<byte> der)
    {
        int length = 2;
        length += WriteInteger(signature[..IntegerSize], der[length..]);
        length += WriteInteger(signature[IntegerSize..], der[length..]);
        (der[0], der[1]) = (Sequence, (byte)(length - 2));
        return length;
    }

    private static int WriteInteger(ReadOnlySpan<byte> value, Span<byte> der)
    {
        while (value.Length > 1 && value[0] == 0)
            value = value[1..];
        int sign = value[0] >> 7;
        (der[0], der[1], der[2]) = (Integer, (byte)(value.Length + sign), 0);
        value.CopyTo(der[(2 + sign)..]);
        return 2 + sign + value.Length;
    }

    [LibraryImport(Library, EntryPoint = "EC_KEY_new_by_curve_name")]
    private static partial Key NewKey(int curve);

    [LibraryImport(Library, EntryPoint = "EC_KEY_free")]
    private static partial void Free(nint key);

    [LibraryImport(Library, EntryPoint = "EC_KEY_oct2key")]
    private static partial int SetPoint(Key key, ReadOnlySpan<byte> point, nuint length, nint context);

    [LibraryImport(Library, EntryPoint = "ECDSA_verify")]
    private static partial int VerifySignature(int type, ReadOnlySpan<byte> hash, int hashLength, ReadOnlySpan<byte> signature, int length, Key key);

    [LibraryImport(Library, EntryPoint = "ERR_clear_error")]
    private static partial void ClearErrors();

    /// <summary>An <c>EC_KEY</c>; freed with its thread.</summary>
    internal sealed class Key : SafeHandle
    {
        public Key()
            : base(invalidHandleValue: 0, ownsHandle: true)
        {
        }

        public override bool IsInvalid => handle == 0;

        protected override bool ReleaseHandle()
        {
            Free(handle);
            return true;
        }
    }
}
