using System.Security.Cryptography;
using System.Text;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>Signs with a secret that the backend has too: HS256, RFC 7518 §3.2.</summary>
internal sealed class SecretSigner : AssertionSigner
{
    private const int FewestBytes = 32;

    private readonly byte[] _secret;

    private SecretSigner(string secret) => _secret = Encoding.UTF8.GetBytes(secret);

    public override string Algorithm => "HS256";

    public override string? Id => null;

    /// <summary>Reads the secret in a file.</summary>
    /// <exception cref="InvalidDataException">It is too short, or none; see <see cref="SecretFile.Read"/>, also for other exceptions.</exception>
    public static SecretSigner Read(string path)
    {
        string secret = SecretFile.Read(path);
        return secret.Length >= FewestBytes
            ? new SecretSigner(secret)
            : throw new InvalidDataException($"{path} has fewer than {FewestBytes} bytes, which HS256 needs (openssl rand -base64 32)");
    }

    public override byte[] Sign(byte[] data) => HMACSHA256.HashData(_secret, data);
}
