using ProxyGateway.DeviceAuth;

namespace ProxyGateway.Serving;

/// <summary>How many connections a listener may hold.</summary>
/// <param name="All">In all.</param>
/// <param name="PerAddress">From one address block.</param>
internal readonly record struct ConnectionLimits(int All, int PerAddress)
{
    private const int MostParts = 4;

    /// <summary>The limits of the data port.</summary>
    /// <param name="limits">The configuration in force.</param>
    /// <param name="room">How many connections the process has handles for.</param>
    public static ConnectionLimits Of(DeviceAuthLimits limits, int room)
    {
        int all = Math.Min(limits.Connections ?? room, room);
        return new ConnectionLimits(all, Math.Min(limits.ConnectionsPerAddress ?? Math.Max(1, all - (all / MostParts)), all));
    }
}
