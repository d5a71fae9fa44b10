namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>Which side's frames are read: a client's must be masked, a backend's must not be (RFC 6455 §5.1).</summary>
internal enum FrameSource
{
    Client,
    Backend,
}
