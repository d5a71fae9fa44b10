using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using ProxyGateway.DeviceAuth.Files;
using ProxyGateway.DeviceAuth.Localities;

namespace ProxyGateway.Forwarding;

/// <summary>Closes connections of other users of this machine before a byte of theirs is read: they would act as this device.</summary>
internal sealed class LocalUsers(bool allowsAny)
{
    private readonly Lock _lock = new();
    private readonly HashSet<uint?> _told = [];

    /// <summary>Whether this connection may go on.</summary>
    public bool Allows(ConnectionContext connection)
    {
        if (allowsAny)
            return true;
        if (!OperatingSystem.IsLinux() && connection.LocalEndPoint is UnixDomainSocketEndPoint)
            return true; // its mode keeps others out; whose a TCP connection is, only Linux is asked here
        uint? user = OperatingSystem.IsLinux() && connection.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket ? LoopbackGuard.UserOf(socket) : null;
        if (user is { } known && FileStatus.IsTrustedUser(known))
            return true;
        Tell(user);
        return false;
    }

    // Once for each user, and for a few: others must not fill the log.
    private void Tell(uint? user)
    {
        lock (_lock)
        {
            if (_told.Count >= 16 || !_told.Add(user))
                return;
        }

        Console.Error.WriteLine(user is { } known
            ? $"A connection of user {known} was refused: only the user of this process, and root, may use the forwarder."
            : "A connection was refused: the kernel does not say whose it is. A Unix socket (--listen unix:...) works anywhere; --any-user serves every user of this machine.");
    }
}
