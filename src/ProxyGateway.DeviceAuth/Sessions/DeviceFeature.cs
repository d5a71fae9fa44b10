using System.Security.Claims;
using Microsoft.AspNetCore.Http;
using SecurityClaim = System.Security.Claims.Claim;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <inheritdoc cref="IDeviceFeature"/>
internal sealed class DeviceFeature : IDeviceFeature
{
    private const string AuthenticationType = "Device";

    private DeviceFeature(Session session) => (Claim, ConnectionId) = (session.Claim, session.Number);

    public Pairing.Claim Claim { get; }

    public long ConnectionId { get; }

    /// <summary>Says in the request whose it is. Identities that the application has found out stay, and stay first.</summary>
    public static void Set(HttpContext context, Session session)
    {
        context.Features.Set<IDeviceFeature>(new DeviceFeature(session));
        context.User = new ClaimsPrincipal(context.User.Identities.Where(i => i.IsAuthenticated).Append(IdentityOf(session.Claim)));
    }

    private static ClaimsIdentity IdentityOf(Pairing.Claim claim) => new(
        [
            new SecurityClaim(DeviceClaimTypes.DeviceId, claim.Device.ToString()),
            new SecurityClaim(DeviceClaimTypes.Role, claim.Role),
            .. claim.Scopes.Select(scope => new SecurityClaim(DeviceClaimTypes.Scope, scope)),
        ],
        AuthenticationType,
        nameType: DeviceClaimTypes.DeviceId,
        roleType: DeviceClaimTypes.Role);
}
