using System.Net;
using System.Security.Cryptography.X509Certificates;
using ProxyGateway.Connecting;
using ProxyGateway.DeviceAuth.Client;
using Yarp.ReverseProxy.Forwarder;

namespace ProxyGateway.Forwarding;

/// <summary>An agent behind a gateway, and where its local clients come.</summary>
internal sealed class ForwardTarget : IDisposable
{
    private static readonly TimeSpan ActivityTimeout = TimeSpan.FromDays(20); // a stream may be silent for long; its two ends know better when it is over

    private readonly IDeviceSigner _signer;
    private readonly ProofClaims _claims;
    private readonly X509Certificate2Collection? _trusted;
    private readonly string _origin;
    private readonly string _path; // of the URL, without a slash at its end

    private string _header = DeviceHttpOptions.DeviceProof;
    private HttpMessageInvoker _client;

    public ForwardTarget(ForwardAddress address, Uri url, IDeviceSigner signer, ProofClaims claims, X509Certificate2Collection? trusted)
    {
        (Address, Url, _signer, _claims, _trusted) = (address, url, signer, claims, trusted);
        _origin = url.GetLeftPart(UriPartial.Authority);
        _path = url.AbsolutePath.TrimEnd('/');
        _client = NewClient();
        Config = new ForwarderRequestConfig
        {
            ActivityTimeout = ActivityTimeout,
            Version = address.IsHttp2 || url.Scheme == Uri.UriSchemeHttps ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = address.IsHttp2 ? HttpVersionPolicy.RequestVersionExact : HttpVersionPolicy.RequestVersionOrLower,
        };
        Probe = new ProofProbe(signer, url, claims) { Version = Config.Version!, VersionPolicy = Config.VersionPolicy!.Value, Trusted = trusted };
    }

    public ForwardAddress Address { get; }

    public Uri Url { get; }

    public ProofProbe Probe { get; }

    /// <summary>Sends requests with proofs.</summary>
    public HttpMessageInvoker Client => Volatile.Read(ref _client);

    /// <summary>Takes over the header in which the route wants its proofs, once that is known.</summary>
    public void UseHeader(string header)
    {
        if (_header == header)
            return;
        _header = header;
        Volatile.Write(ref _client, NewClient()); // the other one may have requests under way
    }

    /// <summary>The URL of a request, if clients may ask for it.</summary>
    /// <param name="target">Path and query at this listener, as they came: decoded, a path can have lost which of its slashes were encoded.</param>
    public Uri? UrlOf(string target)
    {
        if (!target.StartsWith('/'))
        {
            if (!Uri.TryCreate(target, UriKind.Absolute, out Uri? whole) || whole.Scheme != Uri.UriSchemeHttp)
                return null;
            target = whole.PathAndQuery; // as clients send it that take the forwarder for a proxy
        }

        bool isRoot = _path.Length > 0 && (target.Length == 1 || target[1] == '?'); // exactly the target: /mcp is not /mcp/
        if (!Uri.TryCreate(isRoot ? Url.GetLeftPart(UriPartial.Path) + target[1..] : _origin + _path + target, UriKind.Absolute, out Uri? url) || url.Fragment.Length > 0)
            return null;

        // The gateway's own endpoints give out what is worth more than one request.
        return IsWithin(url.AbsolutePath, _path) && !IsWithin(url.AbsolutePath, "/.well-known/proxygateway", StringComparison.OrdinalIgnoreCase) ? url : null;
    }

    /// <summary>A URL of the target as one of this listener; unchanged if it leads elsewhere.</summary>
    public string LocalOf(string location)
    {
        if (!Uri.TryCreate(Url, location, out Uri? url) || url.GetLeftPart(UriPartial.Authority) != _origin || !IsWithin(url.AbsolutePath, _path))
            return location;
        string rest = url.PathAndQuery[_path.Length..] + url.Fragment;
        if (rest.StartsWith("//", StringComparison.Ordinal))
            return "/." + rest; // alone it would name another host
        return rest.StartsWith('/') ? rest : "/" + rest;
    }

    /// <summary>The protocol to the gateway: what TLS negotiates; without TLS that of the local clients.</summary>
    public ForwarderRequestConfig Config { get; }

    public void Dispose()
    {
        Probe.Dispose();
        _client.Dispose();
    }

    private static bool IsWithin(string path, string folder, StringComparison comparison = StringComparison.Ordinal) =>
        path.StartsWith(folder, comparison) && (path.Length == folder.Length || path[folder.Length] == '/');

    private HttpMessageInvoker NewClient() => new(new SmallBodies
    {
        InnerHandler = new DeviceHttpHandler(_signer, new DeviceHttpOptions { Header = _header, Claims = _claims }) { InnerHandler = Authorities.NewTransport(_trusted) },
    });
}
