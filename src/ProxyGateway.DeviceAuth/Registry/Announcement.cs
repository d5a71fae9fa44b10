using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>A message from a registry that this gateway may share with others.</summary>
public abstract record Announcement
{
    private Announcement()
    {
    }

    /// <summary>A device's record was changed. It may have changed again since: only a read after this counts.</summary>
    /// <param name="Device">The device.</param>
    /// <param name="Version">The announced version of its record.</param>
    public sealed record Changed(DeviceId Device, string Version) : Announcement;

    /// <summary>
    /// From here on every change is announced. Before, announcements may have been lost, so earlier reads may be out of date. This is
    /// always the first announcement.
    /// </summary>
    public sealed record Resumed : Announcement;

    /// <summary>Announcements still arrive: every change until shortly before this was announced. Comes about once a second.</summary>
    public sealed record Alive : Announcement;
}
