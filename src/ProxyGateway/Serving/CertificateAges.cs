using System.Diagnostics.Metrics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ProxyGateway.DeviceAuth;

namespace ProxyGateway.Serving;

/// <summary>How long the certificates of the section <c>Kestrel</c> are still valid. While somebody reads the metric, their files are read once an hour.</summary>
internal sealed class CertificateAges
{
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    private readonly IConfiguration _configuration;
    private readonly string _contentRoot;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private (string Name, DateTime NotAfter)[] _known = [];
    private long? _readAt;

    public CertificateAges(IConfiguration configuration, IHostEnvironment environment, IMeterFactory meters, TimeProvider time)
    {
        (_configuration, _contentRoot, _time) = (configuration, environment.ContentRootPath, time);
        meters.Create(Telemetry.MeterName).CreateObservableGauge(
            "proxygateway.certificate.remaining", Measure, "s", "How long a certificate of the configuration is still valid; negative once it has expired.");
    }

    private IEnumerable<Measurement<double>> Measure()
    {
        DateTime now = _time.GetUtcNow().UtcDateTime;
        return Read().Select(known => new Measurement<double>((known.NotAfter - now).TotalSeconds, KeyValuePair.Create<string, object?>("proxygateway.certificate", known.Name)));
    }

    private (string Name, DateTime NotAfter)[] Read()
    {
        lock (_lock)
        {
            if (_readAt is { } at && _time.GetElapsedTime(at) < Interval)
                return _known;
            _readAt = _time.GetTimestamp();
            IConfigurationSection kestrel = _configuration.GetSection("Kestrel");
            IEnumerable<(string Name, IConfigurationSection Section)> all =
            [
                .. kestrel.GetSection("Certificates").GetChildren().Select(section => (section.Key, section)),
                .. kestrel.GetSection("Endpoints").GetChildren().Select(section => (section.Key, section.GetSection("Certificate"))),
            ];
            return _known = [.. all.Select(one => (one.Name, NotAfter: NotAfterOf(one.Section))).Where(one => one.NotAfter is not null).Select(one => (one.Name, one.NotAfter!.Value))];
        }
    }

    private DateTime? NotAfterOf(IConfigurationSection section)
    {
        if (section["Path"] is not { Length: > 0 } path)
            return null;
        try
        {
            string file = Path.GetFullPath(path, _contentRoot);
            using X509Certificate2 certificate = X509Certificate2.GetCertContentType(file) == X509ContentType.Pkcs12
                ? X509CertificateLoader.LoadPkcs12FromFile(file, section["Password"])
                : X509CertificateLoader.LoadCertificateFromFile(file);
            return certificate.NotAfter.ToUniversalTime();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            return null; // Kestrel reports it when it uses it
        }
    }
}
