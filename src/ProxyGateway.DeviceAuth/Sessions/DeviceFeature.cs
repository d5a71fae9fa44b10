using System.Security.Claims;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features.Authentication;
using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Sessions;

/// <inheritdoc cref="IDeviceFeature"/>
/// <remarks>The user is made on demand: most connections never need it, and each would hold a kilobyte.</remarks>
internal sealed class DeviceFeature : IDeviceFeature, IHttpAuthenticationFeature
{
    private const string Device = "Device";

    private readonly ClaimsPrincipal? _found;
    private readonly string _authenticationType;
    private ClaimsPrincipal? _user;

    private DeviceFeature(DeviceSession session, ClaimsPrincipal? found, string authenticationType) =>
        (Claim, Label, ConnectionId, _found, _authenticationType) = (session.Claim, session.Label, session.Number, found, authenticationType);

    public DeviceClaim Claim { get; }

    public string? Label { get; }

    public long ConnectionId { get; }

    /// <summary>The device, after the identities that the application has added.</summary>
    public ClaimsPrincipal? User
    {
        get => _user ??= new ClaimsPrincipal((_found?.Identities ?? []).Where(i => i.IsAuthenticated).Append(IdentityOf(Claim, _authenticationType)));
        set => _user = value;
    }

    /// <summary>Sets the device of the request.</summary>
    public static void Set(HttpContext context, DeviceSession session, string authenticationType = Device)
    {
        var feature = new DeviceFeature(session, context.Features.Get<IHttpAuthenticationFeature>()?.User, authenticationType);
        context.Features.Set<IDeviceFeature>(feature);
        context.Features.Set<IHttpAuthenticationFeature>(feature);
    }

    /// <summary>The device as an identity.</summary>
    public static ClaimsIdentity IdentityOf(DeviceClaim claim, string authenticationType) => new(
        [
            new Claim(DeviceClaimTypes.DeviceId, claim.Device.ToString()),
            new Claim(DeviceClaimTypes.Role, claim.Role),
            new Claim(DeviceClaimTypes.Audience, claim.Audience.ToString()),
            .. claim.Scopes.Select(scope => new Claim(DeviceClaimTypes.Scope, scope)),
        ],
        authenticationType,
        nameType: DeviceClaimTypes.DeviceId,
        roleType: DeviceClaimTypes.Role);
}
