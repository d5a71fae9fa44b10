namespace ProxyGateway.DeviceAuth.Pairing;

/// <summary>What a device has proved to be and asks for. It exists only once its proof was verified.</summary>
/// <param name="Device">The device's id.</param>
/// <param name="PublicKey">The raw public key as base64url without padding; its SHA-256 is the id.</param>
/// <param name="Role">The one role of this connection.</param>
/// <param name="Scopes">The permissions it asks for inside the role.</param>
/// <param name="Client">What the device says about itself.</param>
public sealed record DeviceClaim(DeviceId Device, string PublicKey, string Role, ScopeSet Scopes, ClientDescription Client);
