using System.Buffers.Text;
using System.Globalization;
using System.Numerics;

namespace ProxyGateway.IntegrationTests.Proof;

/// <summary>Signatures that nobody with the key has made, and that are valid: those of P-256 are malleable.</summary>
internal static class SignatureOf
{
    private const int Size = 64;
    private static readonly BigInteger Order =
        BigInteger.Parse("0FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    /// <summary>The proof with r and n - s in place of r and s; as it is, if its signature is none of that size.</summary>
    public static string Other(string proof)
    {
        int at = proof.LastIndexOf('.') + 1;
        byte[] signature = Base64Url.DecodeFromChars(proof.AsSpan(at));
        if (signature.Length != Size)
            return proof;
        byte[] s = (Order - new BigInteger(signature.AsSpan(Size / 2), isUnsigned: true, isBigEndian: true)).ToByteArray(isUnsigned: true, isBigEndian: true);
        return proof[..at] + Base64Url.EncodeToString([.. signature[..(Size / 2)], .. new byte[(Size / 2) - s.Length], .. s]);
    }
}
