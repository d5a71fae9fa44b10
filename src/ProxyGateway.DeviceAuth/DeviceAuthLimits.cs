namespace ProxyGateway.DeviceAuth;

/// <summary>
/// Bounds on resources that strangers can use up: section <c>DeviceAuth:Limits</c>. Each is a number from 1 to 1,000,000.
/// </summary>
public sealed record DeviceAuthLimits
{
    /// <summary>
    /// Connections to the data port, and requests under way on them; null, and at most: as many as the process has file handles for.
    /// </summary>
    public int? Connections { get; init; }

    /// <summary>The same from one client address; null: three quarters of all.</summary>
    public int? ConnectionsPerAddress { get; init; }

    /// <summary>Handshakes under way from one client address.</summary>
    public int HandshakesPerAddress { get; init; } = 16;

    /// <summary>New handshakes of one client address in a second.</summary>
    public int HandshakesPerSecondPerAddress { get; init; } = 100;

    /// <summary>Failed handshakes of one client address that are refused at once; further refusals are delayed ever longer.</summary>
    public int FailuresPerAddress { get; init; } = 10;

    /// <summary>
    /// Handshakes under way to one destination; an OpenClaw backend allows 32 from one address, and counts all of the gateway's as one
    /// address.
    /// </summary>
    public int HandshakesPerDestination { get; init; } = 28;

    /// <summary>Handshakes under way in all.</summary>
    public int Handshakes { get; init; } = 1024;

    /// <summary>Live sessions of one device on this gateway.</summary>
    public int SessionsPerDevice { get; init; } = 64;

    /// <summary>Open pairing requests from one client address.</summary>
    public int PendingRequestsPerAddress { get; init; } = 32;

    /// <summary>
    /// Open pairing requests from one /24 of IPv4 or /48 of IPv6 addresses; at least <see cref="PendingRequestsPerAddress"/>.
    /// </summary>
    public int PendingRequestsPerSubnet { get; init; } = 64;
}
