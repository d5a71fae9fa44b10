namespace ProxyGateway.DeviceAuth.Configuration;

/// <summary>The configuration is invalid. The message names every error, one per line.</summary>
public sealed class InvalidConfigurationException : Exception
{
    /// <summary>With several errors.</summary>
    public InvalidConfigurationException(IReadOnlyList<string> errors)
        : base(Describe(errors)) => Errors = errors;

    /// <summary>With one error.</summary>
    public InvalidConfigurationException(string error)
        : this([error])
    {
    }

    /// <summary>With one error and its cause.</summary>
    public InvalidConfigurationException(string error, Exception innerException)
        : base(Describe([error]), innerException) => Errors = [error];

    /// <summary>Without a description.</summary>
    public InvalidConfigurationException()
        : this([])
    {
    }

    /// <summary>The errors: key, the value found, and the allowed values.</summary>
    public IReadOnlyList<string> Errors { get; }

    private static string Describe(IReadOnlyList<string> errors)
    {
        ArgumentNullException.ThrowIfNull(errors);
        return string.Join(Environment.NewLine, errors.Select(e => $"  {e}").Prepend("The configuration is not valid:"));
    }
}
