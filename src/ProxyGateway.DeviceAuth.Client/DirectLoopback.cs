using System.Net;

namespace ProxyGateway.DeviceAuth.Client;

/// <summary>A proxy that is not asked for what is on this machine: over plain HTTP it would read proofs, and could not reach the gateway anyway.</summary>
internal sealed class DirectLoopback(IWebProxy proxy) : IWebProxy
{
    public ICredentials? Credentials
    {
        get => proxy.Credentials;
        set => proxy.Credentials = value;
    }

    public Uri? GetProxy(Uri destination) => destination.IsLoopback ? null : proxy.GetProxy(destination);

    public bool IsBypassed(Uri host) => host.IsLoopback || proxy.IsBypassed(host);
}
