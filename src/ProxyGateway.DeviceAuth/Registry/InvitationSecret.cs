using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>The secret of an invitation: 16 random bytes as base64url, which nobody can guess, so that its hash may name it in the registry.</summary>
internal static class InvitationSecret
{
    /// <summary>Its length in characters.</summary>
    public const int Length = 22;

    /// <summary>A new one.</summary>
    public static string New() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));

    /// <summary>The id of the invitation that has this secret; null if the text can be none.</summary>
    /// <param name="secret">The text.</param>
    public static string? IdOf(string secret) => secret.Length == Length && Base64Url.IsValid(secret)
        ? Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(secret)).AsSpan(0, 16))
        : null;
}
