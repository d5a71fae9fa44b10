using System.Net;
using Microsoft.AspNetCore.Http;

namespace ProxyGateway.DeviceAuth.Admin;

/// <summary>
/// The address that a proof of a key covers. Another user of this machine can listen at another address or port, such as [::1] beside our
/// 127.0.0.1, and relay a client's question and our answer. So both sides put the ends of their own connection into the proof: over http
/// the literal address and port, on a Unix socket <see cref="OfUnixSocket"/>, with https (where the certificate identifies the gateway) the
/// origin.
/// </summary>
public static class ProvenAddress
{
    /// <summary>The address of a Unix socket. No <c>Host</c> is spelled like this.</summary>
    public const string OfUnixSocket = "unix:";

    /// <summary>The address of a client's http connection, which is also the <c>Host</c> that the client must send.</summary>
    public static string Of(IPEndPoint connectedTo)
    {
        ArgumentNullException.ThrowIfNull(connectedTo);
        return new IPEndPoint(Unmap(connectedTo.Address), connectedTo.Port).ToString();
    }

    /// <summary>The address of a request; null if its <c>Host</c> is not the address at which it arrived.</summary>
    internal static string? Of(HttpContext context) => Of(
        context.Request.IsHttps,
        context.Request.Host,
        context.Connection.LocalIpAddress is { } address ? new IPEndPoint(address, context.Connection.LocalPort) : null);

    /// <summary>The same, from its parts.</summary>
    /// <param name="isHttps">Whether it came over TLS.</param>
    /// <param name="host">The <c>Host</c>.</param>
    /// <param name="local">The gateway's end of the connection; null: a Unix socket.</param>
    internal static string? Of(bool isHttps, HostString host, IPEndPoint? local)
    {
        if (isHttps)
            return $"https://{host.Value}"; // with the scheme: a proof over http is invalid here
        if (local is null)
            return OfUnixSocket;
        return (host.Port ?? 80) == local.Port && IPAddress.TryParse(host.Host.AsSpan().Trim("[]"), out IPAddress? named) && Unmap(named).Equals(Unmap(local.Address))
            ? host.Value
            : null;
    }

    // A dual-stack socket has IPv4 addresses mapped to IPv6.
    private static IPAddress Unmap(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
}
