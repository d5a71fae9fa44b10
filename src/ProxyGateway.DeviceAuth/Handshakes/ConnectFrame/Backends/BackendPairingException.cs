namespace ProxyGateway.DeviceAuth.Handshakes.ConnectFrame.Backends;

/// <summary>Something could not be approved at a backend. The message says why, in words of ours.</summary>
internal sealed class BackendPairingException(string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>Whether the backend has answered, and refuses: the connection is as good as before.</summary>
    public bool IsRefusal { get; init; }

    /// <summary>Whether the backend has let the gate in, and given it no scopes.</summary>
    public bool LacksScope { get; init; }

    /// <summary>Whether the backend has approved more than is granted, and has removed the device again.</summary>
    public bool IsTakenBack { get; init; }

    /// <summary>Whether the backend has approved more than is granted, and still has the device: its owner must remove it.</summary>
    public bool MustBeRemoved { get; init; }
}
