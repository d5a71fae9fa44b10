using System.Net;
using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// The address for which a proof of a key holds. Another user of this machine can listen at another address or port, as [::1] beside our 127.0.0.1, and
/// pass on what a client asks there, and our answer. So both sides put into the proof the ends of their own connection: over http the literal
/// address and port, on a Unix socket <see cref="OfUnixSocket"/>, with https (whose certificate says who answers) the origin.
/// </summary>
internal static class ProvenAddress
{
    /// <summary>That of a Unix socket. No <c>Host</c> is spelled like this.</summary>
    public const string OfUnixSocket = "unix:";

    /// <summary>That of a client's connection by http, and so the <c>Host</c> that the client has to send.</summary>
    public static string Of(IPEndPoint connectedTo) => new IPEndPoint(Unmap(connectedTo.Address), connectedTo.Port).ToString();

    /// <summary>That of a request; null if its <c>Host</c> is not the one at which it came in.</summary>
    public static string? Of(HttpContext context) => Of(
        context.Request.IsHttps,
        context.Request.Host,
        context.Connection.LocalIpAddress is { } address ? new IPEndPoint(address, context.Connection.LocalPort) : null);

    /// <summary>The same, of its parts.</summary>
    /// <param name="isHttps">Whether it came by TLS.</param>
    /// <param name="host">The <c>Host</c>.</param>
    /// <param name="local">The gateway's end of the connection; null: a Unix socket.</param>
    public static string? Of(bool isHttps, HostString host, IPEndPoint? local)
    {
        if (isHttps)
            return $"https://{host.Value}"; // with the scheme: a proof over http is none here
        if (local is null)
            return OfUnixSocket;
        return (host.Port ?? 80) == local.Port && IPAddress.TryParse(host.Host.AsSpan().Trim("[]"), out IPAddress? named) && Unmap(named).Equals(Unmap(local.Address))
            ? host.Value
            : null;
    }

    // A socket for both families has IPv4 addresses in IPv6.
    private static IPAddress Unmap(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
