using Microsoft.AspNetCore.Authentication;
using ProxyGateway.DeviceAuth.Handshakes.Proof;

namespace ProxyGateway.DeviceAuth;

/// <summary>Adds the proof of a device as an authentication scheme.</summary>
public static class DeviceProofExtensions
{
    /// <summary>
    /// Adds the scheme <see cref="DeviceProofDefaults.AuthenticationScheme"/>, so that an application can admit devices by <c>[Authorize]</c> without a proxy. It needs
    /// the gate's services (<c>AddDeviceAuthorization</c>) with a store; <c>UseDeviceAuthorization</c> is for proxies.
    /// </summary>
    /// <param name="authentication">The application's authentication.</param>
    /// <param name="configure">Sets audience, role and scopes; null for the defaults.</param>
    public static AuthenticationBuilder AddDeviceProof(this AuthenticationBuilder authentication, Action<DeviceProofOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(authentication);
        return authentication.AddScheme<DeviceProofOptions, DeviceProofHandler>(DeviceProofDefaults.AuthenticationScheme, configure);
    }
}
