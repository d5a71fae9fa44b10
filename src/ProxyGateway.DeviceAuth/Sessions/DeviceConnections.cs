using ProxyGateway.DeviceAuth.Pairing;
using ProxyGateway.DeviceAuth.WebSockets;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>The session table for an application.</summary>
internal sealed class DeviceConnections(SessionTable sessions, IDeviceAuthSettings settings) : IDeviceConnections
{
    public int Count => sessions.List(device: null, after: 0, int.MaxValue).Length;

    public IReadOnlyList<DeviceConnection> List(DeviceId? device = null, long after = 0, int limit = int.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(limit);
        PairingPolicy policy = settings.Current.Policy;
        return Array.ConvertAll(sessions.List(device, after, limit), session => View(session, policy));
    }

    public bool End(long id, string reason = IDeviceConnections.DefaultReason) =>
        End(session => session.Number == id, device: null, reason) > 0;

    public int EndAll(DeviceId device, string reason = IDeviceConnections.DefaultReason) => End(_ => true, device, reason);

    private int End(Func<Session, bool> isMeant, DeviceId? device, string reason)
    {
        var closing = Closing.ByApplication(reason);
        int ended = 0;
        foreach (Session session in sessions.List(device, after: 0, int.MaxValue).Where(isMeant))
        {
            if (session.Close(closing))
                ended++;
        }

        return ended;
    }

    private static DeviceConnection View(Session session, PairingPolicy policy) => new(
        session.Number,
        session.Device,
        session.Role,
        session.Scopes,
        session.Client,
        session.Origin.Address,
        policy.Classify(session.Origin.Locality),
        session.StartedAt,
        session.EndsAt)
    {
        Audience = session.Audience,
        User = session.User,
    };
}
