using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace ProxyGateway.DeviceAuth.Identity;

/// <summary>A key pair of this gateway's, whose private part never leaves the process: ES256, RFC 7518 §3.4.</summary>
internal sealed class AssertionKey : AssertionSigner, IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly Lock _lock = new();

    public AssertionKey()
    {
        ECPoint point = _key.ExportParameters(includePrivateParameters: false).Q;
        (string x, string y) = (Base64Url.EncodeToString(point.X), Base64Url.EncodeToString(point.Y));
        Id = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes($$"""{"crv":"P-256","kty":"EC","x":"{{x}}","y":"{{y}}"}""")));
        Jwk = Encoding.ASCII.GetBytes($$"""{"kty":"EC","crv":"P-256","x":"{{x}}","y":"{{y}}","use":"sig","alg":"ES256","kid":"{{Id}}"}""");
    }

    public override string Algorithm => "ES256";

    /// <summary>Its thumbprint, RFC 7638.</summary>
    public override string Id { get; }

    /// <summary>The public key, RFC 7517.</summary>
    public byte[] Jwk { get; }

    public override byte[] Sign(byte[] data)
    {
        lock (_lock)
        {
            return _key.SignData(data, HashAlgorithmName.SHA256);
        }
    }

    public void Dispose() => _key.Dispose();
}
