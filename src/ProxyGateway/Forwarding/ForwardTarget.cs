using System.Net;
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
    private readonly string _origin;
    private readonly string _path; // of the URL, without a slash at its end

    private string _header = DeviceHttpOptions.DeviceProof;
    private HttpMessageInvoker _client;

    public ForwardTarget(ForwardAddress address, Uri url, IDeviceSigner signer, ProofClaims claims)
    {
        (Address, Url, _signer, _claims) = (address, url, signer, claims);
        _origin = url.GetLeftPart(UriPartial.Authority);
        _path = url.AbsolutePath.TrimEnd('/');
        _client = NewClient();
        Config = new ForwarderRequestConfig
        {
            ActivityTimeout = ActivityTimeout,
            Version = address.IsHttp2 || url.Scheme == Uri.UriSchemeHttps ? HttpVersion.Version20 : HttpVersion.Version11,
            VersionPolicy = address.IsHttp2 ? HttpVersionPolicy.RequestVersionExact : HttpVersionPolicy.RequestVersionOrLower,
        };
        Probe = new ProofProbe(signer, url, claims) { Version = Config.Version!, VersionPolicy = Config.VersionPolicy!.Value };
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
    /// <param name="path">The path at this listener.</param>
    /// <param name="query">The query.</param>
    public Uri? UrlOf(PathString path, QueryString query)
    {
        Uri url = path == "/" && _path.Length > 0
            ? new Uri(Url.GetLeftPart(UriPartial.Path) + query.ToUriComponent()) // exactly the target: /mcp is not /mcp/
            : RequestUtilities.MakeDestinationAddress(_origin + _path, path, query);

        // The gateway's own endpoints give out what is worth more than one request.
        return IsWithin(url.AbsolutePath, _path) && !IsWithin(url.AbsolutePath, "/.well-known/proxygateway", StringComparison.OrdinalIgnoreCase) ? url : null;
    }

    /// <summary>A URL of the target as one of this listener; unchanged if it leads elsewhere.</summary>
    public string LocalOf(string location)
    {
        if (!Uri.TryCreate(Url, location, out Uri? url) || url.GetLeftPart(UriPartial.Authority) != _origin || !IsWithin(url.AbsolutePath, _path))
            return location;
        string rest = url.PathAndQuery[_path.Length..] + url.Fragment;
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
        InnerHandler = new DeviceHttpHandler(_signer, new DeviceHttpOptions { Header = _header, Claims = _claims }) { InnerHandler = DeviceHttpHandler.CreateTransport() },
    });
}
