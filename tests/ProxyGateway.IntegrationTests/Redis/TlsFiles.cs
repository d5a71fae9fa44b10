using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ProxyGateway.IntegrationTests.Redis;

/// <summary>A certificate for 127.0.0.1 and the authority that issued it, as files.</summary>
internal sealed class TlsFiles : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("proxygateway-tls-");

    public TlsFiles()
    {
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authority = new CertificateRequest("CN=Test authority", authorityKey, HashAlgorithmName.SHA256);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        using X509Certificate2 issuer = authority.CreateSelfSigned(now.AddDays(-1), now.AddDays(2));

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var server = new CertificateRequest("CN=redis", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        server.CertificateExtensions.Add(names.Build());
        using X509Certificate2 certificate = server.Create(issuer, now.AddHours(-1), now.AddDays(1), RandomNumberGenerator.GetBytes(8));

        File.WriteAllText(AuthorityPath, issuer.ExportCertificatePem());
        File.WriteAllText(PathOf("redis.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(PathOf("redis.key"), key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>What clients have to trust.</summary>
    public string AuthorityPath => PathOf("authority.pem");

    /// <summary>The settings of a server that speaks nothing but TLS.</summary>
    public string[] Settings =>
    [
        "--tls-port", "0", "--tls-cert-file", PathOf("redis.pem"), "--tls-key-file", PathOf("redis.key"), "--tls-ca-cert-file", AuthorityPath, "--tls-auth-clients", "no",
    ];

    public void Dispose() => _folder.Delete(recursive: true);

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);
}
