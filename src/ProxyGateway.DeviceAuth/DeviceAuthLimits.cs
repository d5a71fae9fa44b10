namespace ProxyGateway.DeviceAuth;

/// <summary>
/// Bounds on resources that strangers can use up: section <c>DeviceAuth:Limits</c>. Each is a number from 1 to 1,000,000; zero is not
/// "no limit", and is refused. Unless a member says otherwise, it counts on this gateway alone.
/// </summary>
public sealed record DeviceAuthLimits
{
    /// <summary>
    /// Connections to the data port, and requests under way on them; 1 to 1,000,000. Null, and at most: as many as the process has file
    /// handles
    /// for. The program applies it, not the gate.
    /// </summary>
    public int? Connections { get; init; }

    /// <summary>The same from one client address; 1 to 1,000,000. Null: three quarters of all.</summary>
    public int? ConnectionsPerAddress { get; init; }

    /// <summary>Handshakes under way from one client address; 1 to 1,000,000.</summary>
    public int HandshakesPerAddress { get; init; } = 16;

    /// <summary>New handshakes of one client address in a second; 1 to 1,000,000.</summary>
    public int HandshakesPerSecondPerAddress { get; init; } = 100;

    /// <summary>
    /// Failed handshakes of one client address that are refused at once; further refusals are delayed ever longer. 1 to 1,000,000.
    /// </summary>
    public int FailuresPerAddress { get; init; } = 10;

    /// <summary>
    /// Handshakes under way to one destination; an OpenClaw backend allows 32 from one address, and counts all of the gateway's as one
    /// address. 1 to 1,000,000.
    /// </summary>
    public int HandshakesPerDestination { get; init; } = 28;

    /// <summary>Handshakes under way in all; 1 to 1,000,000.</summary>
    public int Handshakes { get; init; } = 1024;

    /// <summary>Live sessions of one device; 1 to 1,000,000.</summary>
    public int SessionsPerDevice { get; init; } = 64;

    /// <summary>
    /// Pairing requests from one client address, in the whole registry, that are neither resolved nor expired; 1 to 1,000,000.
    /// </summary>
    public int PendingRequestsPerAddress { get; init; } = 32;

    /// <summary>
    /// The same from one /24 of IPv4 or /48 of IPv6 addresses; 1 to 1,000,000. Less than <see cref="PendingRequestsPerAddress"/> counts as
    /// that.
    /// </summary>
    public int PendingRequestsPerSubnet { get; init; } = 64;
}
