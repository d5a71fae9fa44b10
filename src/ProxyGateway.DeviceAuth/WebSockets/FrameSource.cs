namespace ProxyGateway.DeviceAuth.WebSockets;

/// <summary>The sender of frames: a client must mask them, a backend must not (RFC 6455 §5.1).</summary>
internal enum FrameSource
{
    Client,
    Backend,
}
