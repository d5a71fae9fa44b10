namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// Refuses devices that the policy might admit, and never admits one. Every filter among the services is asked about every device that has
/// proved who it is, known or not, before the registry is: a device that is refused leaves nothing behind, and asks no operator.
/// </summary>
public interface IAdmissionFilter
{
    /// <summary>
    /// Whether the device is refused, and why. A filter that throws, or that takes longer than <see cref="DeviceAuthOptions.HandshakeTimeout"/>,
    /// refuses with <c>internal error</c> (close code 1011).
    /// </summary>
    /// <param name="admission">Who asks for what.</param>
    /// <param name="cancellationToken">Cancelled when the client is gone, or the time is over.</param>
    /// <returns>
    /// Null to leave the decision to the next filter and then to the policy; else what the client is told with close code 1008, in at most 123 bytes of
    /// UTF-8 (RFC 6455 §5.5), without secrets.
    /// </returns>
    ValueTask<string?> RefuseAsync(AdmissionContext admission, CancellationToken cancellationToken);
}
