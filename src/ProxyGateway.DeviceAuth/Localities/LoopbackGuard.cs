using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Localities;

/// <summary>
/// What a listener on loopback has to check that serves this machine's user alone. The address is no protection: any page may send requests to it from its
/// reader's browser, also by a name of its own that leads there, and so may every other user of the machine.
/// </summary>
public static class LoopbackGuard
{
    private static readonly LoopbackPeers Peers = new(new PacedLogger<LoopbackPeers>(NullLogger<LoopbackPeers>.Instance, TimeProvider.System));

    /// <summary>The user at the other end of a loopback or Unix socket; null unless the kernel says it for certain, and on any system but Linux.</summary>
    /// <param name="socket">The listener's end of the connection.</param>
    public static uint? UserOf(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        return OperatingSystem.IsLinux() && Peers.FindUser(socket) is { State: PeerUserState.Known, UserId: var user } ? user : null;
    }

    /// <summary>Whether <c>Host</c> names loopback: a page whose own name leads here (DNS rebinding) sends that name.</summary>
    /// <param name="request">The request.</param>
    public static bool NamesLoopback(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return LocalityReader.NamesLoopback(request.Host);
    }

    /// <summary>Whether a page of another origin sends the request, or has the browser send it.</summary>
    /// <param name="request">The request.</param>
    public static bool IsOfForeignPage(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return !OriginCheck.Allows(request, []);
    }
}
