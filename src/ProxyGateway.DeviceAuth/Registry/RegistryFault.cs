namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>Why a registry cannot be used, in a form that anybody may see: without addresses, names or secrets.</summary>
public enum RegistryFault
{
    /// <summary>It does not answer, or not in time; the reason is unknown.</summary>
    Unknown,

    /// <summary>Nothing listens at its address.</summary>
    NotReachable,

    /// <summary>It refuses the user or the password.</summary>
    PasswordRefused,

    /// <summary>Its certificate is not trusted, or it refuses the gateway's.</summary>
    CertificateRefused,

    /// <summary>A newer version of ProxyGateway has changed its format, and this one must not use it.</summary>
    NewerFormat,
}
