namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>The configuration is wrong. The message names every error, one per line.</summary>
public sealed class InvalidConfigurationException : Exception
{
    /// <summary>Wrong in these ways.</summary>
    public InvalidConfigurationException(IReadOnlyList<string> errors)
        : base(Describe(errors)) => Errors = errors;

    /// <summary>Wrong in one way.</summary>
    public InvalidConfigurationException(string error)
        : this([error])
    {
    }

    /// <summary>Wrong in one way, because of another error.</summary>
    public InvalidConfigurationException(string error, Exception innerException)
        : base(Describe([error]), innerException) => Errors = [error];

    /// <summary>Wrong.</summary>
    public InvalidConfigurationException()
        : this([])
    {
    }

    /// <summary>The errors: key, the value found, and what is allowed.</summary>
    public IReadOnlyList<string> Errors { get; }

    private static string Describe(IReadOnlyList<string> errors)
    {
        ArgumentNullException.ThrowIfNull(errors);
        return string.Join(Environment.NewLine, errors.Select(e => $"  {e}").Prepend("The configuration is not valid:"));
    }
}
