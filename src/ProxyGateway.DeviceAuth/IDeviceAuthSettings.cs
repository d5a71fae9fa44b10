namespace ProxyGateway.DeviceAuth;

/// <summary>The options in force. For each decision read <see cref="Current"/> once, when you decide.</summary>
public interface IDeviceAuthSettings
{
    /// <summary>
    /// Raised after <see cref="Current"/> has changed, on the thread of the reload, one call at a time. Handlers must not block; an
    /// exception is
    /// logged, and the other handlers are called. Settings that never change need not implement it; a change
    /// that is not raised is found within <see cref="Registry.FreshnessOptions.SweepInterval"/>.
    /// </summary>
    event Action Changed
    {
        add { }
        remove { }
    }

    /// <summary>The options in force now; a valid reload replaces them as a whole.</summary>
    DeviceAuthOptions Current { get; }
}
