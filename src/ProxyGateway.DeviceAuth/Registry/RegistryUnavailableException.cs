namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>
/// The registry cannot be reached, is too slow, or answers what cannot be understood. Whoever asked must not admit anybody,
/// and must not say that a device is unknown either.
/// </summary>
public class RegistryUnavailableException : Exception
{
    /// <summary>With a message.</summary>
    public RegistryUnavailableException(string message)
        : base(message)
    {
    }

    /// <summary>With a message and what caused it.</summary>
    public RegistryUnavailableException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Without anything to say.</summary>
    public RegistryUnavailableException()
    {
    }

    /// <summary>
    /// The change was made all the same, and holds for whoever reads it now; what is missing is a confirmation that it cannot be lost.
    /// It may be repeated until that is there.
    /// </summary>
    public bool ChangeWasMade { get; init; }

    /// <summary>The registry answers, but others change this record faster than it can be read and decided on. It may be tried again.</summary>
    public bool IsContended { get; init; }

    /// <summary>Why, in the form that anybody may be told.</summary>
    public RegistryFault Fault { get; init; }
}
