namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>How far a frame header could be read.</summary>
internal enum FrameHeaderStatus
{
    Complete,
    NeedsMore,
    Malformed,
}
