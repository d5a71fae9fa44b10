namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>Why a registry cannot be used, as far as that can be told to anybody: without addresses, names or secrets.</summary>
public enum RegistryFault
{
    /// <summary>It does not answer, or not in time, and nothing says why.</summary>
    Unknown,

    /// <summary>Nobody listens where it should be.</summary>
    NotReachable,

    /// <summary>It refuses the user or the password.</summary>
    PasswordRefused,

    /// <summary>Its certificate is not trusted, or it refuses the gateway's.</summary>
    CertificateRefused,

    /// <summary>A newer version of ProxyGateway has changed how it is kept, and this one may not use it.</summary>
    NewerFormat,
}
