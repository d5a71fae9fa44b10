namespace ProxyGateway.DeviceAuth;

/// <summary>The options in force. Whoever decides something reads <see cref="Current"/> once, at the decision, and decides by that.</summary>
public interface IDeviceAuthSettings
{
    /// <summary>
    /// Raised after <see cref="Current"/> has become another. Handlers must not wait. Settings that never change need not implement it; a change
    /// that is not raised is found within <see cref="Registry.FreshnessOptions.SweepInterval"/>.
    /// </summary>
    event Action Changed
    {
        add { }
        remove { }
    }

    /// <summary>The options in force now; a reload that validates replaces them as a whole.</summary>
    DeviceAuthOptions Current { get; }
}
