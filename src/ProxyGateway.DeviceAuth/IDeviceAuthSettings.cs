namespace ProxyGateway.DeviceAuth;

/// <summary>The options in force. Whoever decides something reads <see cref="Current"/> once and decides by that.</summary>
public interface IDeviceAuthSettings
{
    /// <summary>The options in force now; a reload that validates replaces them as a whole.</summary>
    DeviceAuthOptions Current { get; }
}
