using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>What a gateway hears of a registry that it may share with others.</summary>
public abstract record Announcement
{
    private Announcement()
    {
    }

    /// <summary>A device's record was changed. It may have been changed again since: only what is read after this counts.</summary>
    /// <param name="Device">The device.</param>
    /// <param name="Version">The version of its record that was announced.</param>
    public sealed record Changed(DeviceId Device, string Version) : Announcement;

    /// <summary>
    /// From here on every change is announced. Before, announcements may have been lost: what was read until now may be out of date.
    /// The first of all announcements is this one.
    /// </summary>
    public sealed record Resumed : Announcement;

    /// <summary>Announcements still arrive: every change of more than a moment ago has been announced. Comes about once a second.</summary>
    public sealed record Alive : Announcement;
}
