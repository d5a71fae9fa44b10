namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// The registry cannot be reached, is too slow, or gives an invalid answer. The caller must admit nobody, and must not report a device as
/// unknown.
/// </summary>
public class RegistryUnavailableException : Exception
{
    /// <summary>With a message.</summary>
    public RegistryUnavailableException(string message)
        : base(message)
    {
    }

    /// <summary>With a message and its cause.</summary>
    public RegistryUnavailableException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Without a message.</summary>
    public RegistryUnavailableException()
    {
    }

    /// <summary>
    /// The change was made and can be read, but there is no confirmation that it cannot be lost. It may be repeated until there is.
    /// </summary>
    public bool ChangeWasMade { get; init; }

    /// <summary>
    /// The registry answers, but others change this record too fast for a decision, or the device uses up proofs faster than they may be
    /// forgotten. The caller may try again.
    /// </summary>
    public bool IsContended { get; init; }

    /// <summary>The reason, in a form that anybody may see.</summary>
    public RegistryFault Fault { get; init; }
}
