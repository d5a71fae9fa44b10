namespace ProxyGateway.DeviceAuth.Sessions;

/// <summary>
/// Refuses devices that the policy might admit, and never admits one. Every registered filter is asked about every verified device, known
/// or not, before the registry is read: nothing is stored of a refused device, and no operator is asked.
/// </summary>
public interface IAdmissionFilter
{
    /// <summary>
    /// Whether the device is refused, and why. A filter that throws, or takes longer than <see cref="DeviceAuthOptions.HandshakeTimeout"/>,
    /// refuses with <c>internal error</c> (close code 1011).
    /// </summary>
    /// <param name="admission">The device and its claim.</param>
    /// <param name="cancellationToken">Cancelled when the client is gone, or the time has passed.</param>
    /// <returns>
    /// Null to leave the decision to the next filter and then to the policy; else the close reason (code 1008) for the client, at most 123
    /// bytes of UTF-8 (RFC 6455 §5.5), without secrets.
    /// </returns>
    ValueTask<string?> RefuseAsync(AdmissionContext admission, CancellationToken cancellationToken);
}
