using ProxyGateway.DeviceAuth.Pairing;

namespace ProxyGateway.DeviceAuth.Registry;

/// <summary>One use of an invitation.</summary>
/// <param name="Device">The device that it brought in.</param>
/// <param name="Request">The request that it approved.</param>
public sealed record InvitationUse(DeviceId Device, RequestId Request);
