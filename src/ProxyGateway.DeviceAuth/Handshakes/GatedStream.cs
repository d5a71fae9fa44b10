namespace ProxyGateway.DeviceAuth.Handshakes;

/// <summary>A client's stream with a gate before it: what the proxy reads may go to the backend, and what it writes came from there.</summary>
internal abstract class GatedStream : DuplexStream
{
    /// <summary>The backend's stream as the proxy is to see it.</summary>
    public abstract Stream Face(Stream backend);
}
